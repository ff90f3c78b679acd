"""First names that everybody knows as such: what tells a misspelt one from another one, and a first name from a family's.

Source: the most frequent 900 names of women and 650 of men in the US Census of 1990 (public domain), and names that were given
often since, or by families of other languages; without those that are a last name much more often.
"""

from __future__ import annotations

GIVEN = frozenset(
    str.split(
        """
aaliyah aaron abby abel abigail abraham ada adalyn adam addie addison adela adele adeline adolfo adolph adrian adriana
adrienne agnes agustin ahmed aida aiden aileen aimee ainsley aisha al alaina alan alana alayna albert alberta alberto aleah
alejandra alejandro alessandra alex alexander alexandra alexandria alexia alexis alfonso alfred alfredo ali alice alicia
alina aline alisa alisha alison alissa aliyah allan allen allie allison allyson alma alonzo alta althea alton alvaro alvin
alyce alyssa amanda amara amari amaya amber amelia amie amina amir amos amy ana anais anaya andre andrea andrei andres
andrew andy angel angela angelia angelica angelina angeline angelo angie anh anika anil anita anjali ankit ann anna
annabelle anne annette annie anthony antoine antoinette anton antonia antonio anya april arabella araceli archie aria ariana
arianna ariel arjun arlene arline armand armando arnold arthur arturo aryan asher ashlee ashley ashton asif athena aubrey
audra audrey august augusta aurelia aurora austin autumn ava avery avis ayden ayla barbara barbra barry bart beatrice
beatriz beckett becky belinda bella ben benita benito benjamin bennie benny bentley bernadette bernadine bernard bernice
bert berta bertha bessie beth bethany betsy bette bettie betty bettye beulah beverly bianca bilal bill billie billy blaine
blake blanca blanche bob bobbi bobbie bobby bogdan bonita bonnie brad braden bradford bradley brady brain brandi brandon
brandy braxton brayan brayden braylon breanna brenda brendan brennan brent bret brett brian briana brianna bridget bridgette
brielle brittany brittney brody brooke brooklyn bruce bryan bryce brynn bryon bryson buddy byron cade caden caiden caitlin
caleb callie calvin cameron camila camille candace candice candy cara carey carl carla carlene carlo carlos carlton carly
carmela carmella carmen carol carole carolina caroline carolyn carrie carroll cary casey cassandra cassidy cassie catalina
catherine cathleen cathy cayden cecelia cecil cecile cecilia cedric celeste celia cesar chad chandra charity charlene
charles charlie charlotte charmaine chase chasity chelsea chen cheri cherie cheryl chester chloe chris christa christi
christian christie christina christine christopher christy chrystal chuck cindy claire clara clare clarence clarice clarissa
claude claudette claudia claudine clay clayton cleo cleveland cliff clifford clifton clint clinton clyde cody colette colin
colleen colton concepcion conner connie connor conrad constance consuelo cora corey corine corinne cornelia cornelius
corrine cory courtney craig cristina crystal curt curtis cynthia daisy dakota dale dallas damian damien damon dan dana dane
daniel daniela danielle danika danny dante daphne darcy darin darius dariusz darla darlene darnell darrel darrell darren
darrin darryl darwin daryl dave david dawn dean deana deanna deanne debbie debora deborah debra declan dee deena deidre
deirdre delbert delia delilah della delores deloris demetrius dena denis denise dennis derek derick derrick desiree desmond
destiny devin devon dewayne dewey dexter diana diane dianna dianne diego dina dixie dmitri dmitry dollie dolly dolores
domingo dominic dominick dominique don dona donald donna donnie dora doreen doris dorothea dorothy dorthy doug douglas doyle
drew duane duc dustin dwayne dwight dylan earl earlene earline earnest earnestine easton ebony ed eddie eden edgar edith
edmond edmund edna eduardo edward edwin edwina effie efrain eileen elaina elaine elbert eldon eleanor elena eli eliana elias
elif elijah elinor elisa elisabeth elise eliza elizabeth ella ellen elliana ellie elliot elma elmer elnora eloise elsa elsie
elton elva elvia elvin elvira elwood emanuel emeka emerson emery emil emilia emiliano emilio emily emma emmanuel emmett
enrique eric erica erick ericka erik erika erin erma ernest ernestine ernesto ernie ervin erwin esmeralda esperanza essie
esteban estela estella estelle ester esther ethan ethel etta eugene eugenia eula eunice eva evan evangeline eve evelyn
everett ewan ezekiel ezra fabian faith fannie farah fatima fatma fay faye felicia felipe felix feng fern fernando fidel
finley finn fiona flora florence flossie floyd forrest fran frances francesca francine francis francisca francisco frank
frankie franklin fred freda freddie freddy frederick fredrick frieda gabby gabriel gabriela gabriella gabrielle gail gale
gamze garland garrett garry gary gavin gay gayle gena gene genesis geneva genevieve geoffrey george georgette georgia
georgina gerald geraldine gerard gerardo gerry gertrude gia giana gianna gilbert gilberto gina ginger giovanni giselle
giulia gladys glen glenda glenn glenna gloria goldie gonzalo goran gordon grace gracie graciela grady grant grayson greg
gregg gregorio gregory greta gretchen greyson grover guadalupe guillermo gus gustavo guy gwen gwendolyn hadley hailey hal
haley hamza hana hannah hans harlan harley harold harriet harriett harry harvey hasan hassan hattie hayden hayley hazel
heath heather hector heidi helen helena helene henrietta henry herbert herman hilary hilda hillary hiroshi hoa holly homer
hong hope horace howard huan hubert hugh hugo humberto hung hussein ian ibrahim ida ignacio ila ilene ilya imani imelda
imogene imran ina ines inez inga ingrid ira irene irina iris irma irvin irving isaac isabel isabela isabella isabelle isaiah
isla ismael israel iva ivan ivy jace jack jackie jaclyn jacob jacqueline jacquelyn jada jade jaden jaelyn jaiden jaime jake
jalen jamal jamari james jami jamie jamila jan jana jane janelle janet janette janice janie janine janis janna jared jarrod
jasmine jason jasper javier jaxon jaxson jay jayce jayda jayden jayla jaylen jaylin jaylon jayne jayson jean jeanette jeanie
jeanine jeanne jeannette jeannie jeannine jeff jeffery jeffrey jeffry jenifer jenna jennie jennifer jenny jerald jeremiah
jeremy jeri jermaine jerome jerri jerry jess jesse jessica jessie jesus jewel jewell jian jill jillian jim jimmie jimmy jin
jo joan joann joanna joanne joaquin jocelyn jodi jodie jody joe joel joesph joey johanna john johnathan johnnie johnny
jolene jon jonathan jonathon joni jordan jordyn jorge jose josefa josefina joseph josephine josh joshua josiah josie josue
joy joyce juan juana juanita judith judy julia julian juliana julianna julianne julie julieta juliette julio julius jun june
junior justin justine kai kaiden kaitlyn kaleb kamal kamila kara karen kari karim karin karina karl karla kasey katarzyna
kate katelyn katharine katherine kathie kathleen kathrine kathryn kathy katie katrina katy katya kavita kay kaya kayden kaye
kayla kaylee keira keisha keith kelley kelli kellie kelly kelsey kelvin kemal ken kendall kendra kendrick kenji kenneth
kenny kent kenya keri kermit kerri kerry kevin khalid khanh kiara kiera kieran kim kimberley kimberly kinsley kira kirk
kirsten kofi kris krishna krista kristen kristi kristie kristin kristina kristine kristopher kristy krystal kurt kyla kyle
kylee kylie kyra lacey ladonna laila lakeisha lakisha lakshmi lamar lamont lan lana lance landen landon lara larry lars
latasha latisha latonya latoya laura laurel lauren laurence laurie laverne lavonne lawanda lawrence layla lea leah leann
leanne lee lei leia leigh leila leilani lela leland lena lenora lenore leo leola leon leona leonard leonardo leonor leroy
lesley leslie lester letha leticia levi lewis li lia liam lidia lien lila lilah lilia lilian lillian lillie lilly lily lina
linda lindsay lindsey ling linh lionel lisa liz liza lizzie lloyd logan lois lola london lonnie lora loraine loren lorena
lorene lorenzo loretta lori lorie lorna lorraine lorrie lottie lou louie louis louisa louise lourdes lowell loyd luann lucas
lucia lucile lucille lucinda lucy luella luis luisa luka luke lula luna lupe luther luz lydia lyla lyle lynda lynette lynn
lynne lyra mabel mable maci mack mackenzie macy madeline madelyn madge madison mae maeve magdalena maggie mahmoud makayla
makenzie malcolm malgorzata malia malik malinda mallory mamie mandy manuel manuela mara marc marcel marcella marci marcia
marcie marco marcos marcus marcy marek margaret margarita margery margie margo margret marguerite mari maria mariah mariam
marian mariana marianne maribel maricela marie marietta marilyn marina mario marion marisa marisol marissa maritza marjorie
mark marla marlene marlin marlon marsha marshall marta martha martin martina marty marva marvin mary maryam maryann maryanne
marylou mateo mathew matilda matt matteo matthew matthias mattie maude maureen maurice mavis max maxine may maya mayra
mckenna mckenzie mckinley meagan megan meghan mei melanie melba melinda melisa melissa melody melva melvin mercedes meredith
merle mia micah michael michaela micheal michel michele michelle mickey miguel mihai mikayla mike mila milagros milan
mildred milena miles millard millie milo milton mindy minerva minh minnie mira miranda miriam misty mitchell mitzi mohamed
mohammad mohammed moises mollie molly mona monica monique monte monty morgan morris moses muhammad muriel mustafa mya myla
myles myra myrna myron myrtle nadia nadine nala nancy nanette nannie naomi nasir natalia natalie natasha nate nathalie
nathan nathaniel nayeli neal ned neha neil nelda nell nellie nelson nettie neva nevaeh ngoc nguyet nia nicholas nichole nick
nicolas nicole nikita nikki niko nikolai nina nita noa noah noel noelle noemi nola nolan nona noor nora norbert noreen norma
norman nova nuria nyla odessa ofelia ola olga olive oliver olivia olivier ollie omar opal ophelia ora orlando orville oscar
otis otto owen pablo paige paisley paloma pam pamela paola paolo pat patrica patrice patricia patrick patsy patti patty paul
paula paulette pauline pavel paxton payton pearl pearlie pedro peggy penelope penny percy perry pete peter petra peyton phil
philip phillip phoebe phuong phyllis pierre piotr piper polly pooja presley preston priscilla priya quang quentin quinn
quinton rachael rachel rachelle rae raelyn rafael raj rajesh ralph ramiro ramon ramona randal randall randi randolph randy
rani raphael raquel rashid raul ravi ray raymond reagan reba rebecca rebekah reese refugio reggie regina reginald remi rena
rene renee reuben reva rex reynaldo reza rhoda rhonda ricardo richard rick rickey ricky rita river rob robbie robert roberta
roberto robin robyn rocco rochelle rocio rocky rod roderick rodger rodney rodolfo rodrigo rogelio roger rohan roland rolando
roman ron ronald ronan ronda ronnie roosevelt rory rosa rosalie rosalind rosalinda rosalyn rosanne rosario roscoe rose
roseann rosemarie rosemary rosetta rosie roslyn ross rowan roxanne roxie roy royce ruben ruby rudolph rudy rufus russel
russell rusty ruth ruthie ryan ryker rylan rylee sabrina sachin sadie sage saige sallie sally salma salvador salvatore sam
samantha samara samir sammie sammy samuel sandeep sandra sandy sanjay santiago santos sara sarah sasha saul saundra sawyer
scarlett scott scotty sean sebastian selena selma serena serenity sergei sergey sergio seth shana shane shanna shannon
shanti shari sharon sharron shaun shauna shawn shawna sheena sheila shelby sheldon shelia shelley shelly sheree sheri
sherman sherri sherrie sherry sheryl shirley sidney sienna sierra silas silvia simon simone siobhan skylar skyler sloane
socorro sofia soledad solomon son sondra sonia sonja sonya sophia sophie spencer stacey staci stacie stacy stan stanley
stefanie stella steph stephan stephanie stephen sterling steve steven stuart sue summer suresh susan susana susanna susanne
susie suzanne suzette svetlana sybil sydney sylvester sylvia tabatha tabitha talia taliyah tamara tameka tami tamika tammi
tammie tammy tania tanisha tanner tanya tara tasha tatiana teagan ted teddy terence teresa teri terrance terrell terrence
terri terrie terry tessa thaddeus thanh thea thelma theodore theresa therese thi thomas thurman thuy tia tiana tiffany tim
timmy timothy tina toby todd tom tomas tommie tommy toni tonia tony tonya tracey traci tracie tracy tran trang travis trent
trevor tricia trina trinity trish trisha tristan troy trudy tuan tyler tyrone tyson ursula usha valarie valentina valeria
valerie van vance vanessa velma vera verna vernon veronica vicente vicki vickie vicky victor victoria vijay vikram viktor
vincent vinh viola violet virgie virgil virginia vivian vivienne vladimir wade wallace walter wanda warren wayne wei wendell
wendi wendy wesley whitney wilbert wilbur wilfred wilfredo will willa willard william willie willis willow wilma winifred
winnie winston wm woodrow wyatt xander xavier ximena xin xiomara yan yana yara yasmin yasmine yesenia yolanda yosef youssef
yuki yuri yusuf yvette yvonne zachary zahra zainab zaire zander zara zayden zayn zelma zion zoe zoey
"""
    )
)


def is_given(name: str) -> bool:
    """Whether a name, in small letters, is known as a first name."""
    return name in GIVEN
