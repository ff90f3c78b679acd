"""How people are called who have another name: short forms that the package `nicknames` does not know, and what they prove.

Source: common knowledge of Spanish, Russian, Vietnamese-American and English short forms; any of a line stands for its first.
"""

from __future__ import annotations

from collections import defaultdict

LINES = """
alberto beto
alejandro alex jandro
alejandra ale jandra
alfonso poncho
alfredo fredo
anastasia nastya
antonio tono tony
arturo turo
beatriz bea betty
carlos carlitos charlie
carmen carmelita
catalina cata
concepcion concha conchita
consuelo chelo
cristina cris tina
daniel dani
dmitri dima mitya
dolores lola lolita
eduardo edu lalo eddie
ekaterina katya
elena lena
enrique kike quique
esperanza lanza
ernesto neto
esteban steve
eugenio geno
fernando fer nando
francisca paca paquita
francisco cisco frank paco pancho paquito
gabriel gabo
gabriela gaby gabi
graciela chela
gregorio goyo
guadalupe lupe lupita
guillermo memo guille bill
gustavo tavo
hortensia tencha
ignacio nacho
irina ira
isabel chabela isa
ismael mayo
javier javi
jesus chuy chucho
joaquin quino
jorge coque george
jose pepe joe chepe josecito
josefa pepa
josefina josie fina
juan juanito johnny john
juana juanita
leticia lety
luis lucho louis
magdalena magda lena
manuel manny manolo
margarita rita margo
maria mari mariquita
mariana mari
mario mayito
mercedes mercy meche
miguel mike migue
mikhail misha
mohamed mo
mohammed mo
muhammad mo
natalia nata natasha
nikolai kolya
norma normita
olga olya
pablo paul
patricia paty
pedro perico peter
pilar pili
rafael rafa
ramon moncho
raul rulo
refugio cuca cuco
ricardo rick richie
roberto beto bob robert
rosario chayo charo
salvador chava sal
santiago chago santi
sergio checo
socorro coco
sofia sofi
svetlana sveta
tatiana tanya
teresa tere
vicente chente
victoria vicky
vladimir vova volodya
yolanda yoli
"""
WRITTEN = """
ahmed ahmad ahmet
aisha ayesha aysha aicha
alexander oleksandr aleksandr alexandr
alexei alexey oleksii oleksiy
andrei andrey andrii andriy
abdullah abdallah abdulla
dmitri dmitry dmitriy dmytro
elena olena yelena
evgeny yevgeny evgeniy yevgeniy evgenii yevhen
fatima fatimah fatma
hassan hasan
hussein hussain husain hossein husayn
ibrahim ebrahim
ismail ismaeel esmail
julia yulia yuliya iuliia
ekaterina yekaterina kateryna
khadija khadijah
khalid khaled
maryam mariam
mohammed mohamed muhammad mohammad mohamad muhammed muhamed
mustafa mostafa moustafa
nasser naser nasir
natalia natalya nataliya nataliia
nikolai nikolay mykola
omar umar
osman usman uthman othman
sean shawn shaun
sergei sergey serhii serhiy
suleiman sulaiman sulayman
tariq tarek tareq
tatiana tatyana tetiana
yusuf youssef yousef yousuf yusef
zainab zaynab zeinab
"""
"""Names of other alphabets, and Irish ones, as they are written in English: any of a line is the same name."""

ONLY_SHORT = frozenset(
    str.split(
        """
al andy art artie barb barbie ben benny bernie bert beto bill billy bob bobby cathy chela chelo chente chip chris chrissy chucho chuck chuy
cindy cliff curt dan danny dave davey deb debbie debby dick don donnie dot dottie doug ed eddie fer fran fred freddie freddy gabe greg gus
hal hank herb howie ike iggy jeff jen jenni jenny jerry jim jimmy joe joey johnny jon josh kathy katie katy ken kit larry kenny kike kitty lalo len lenny lety
liz lizzie lou louie lupe lupita mac mandy manny manolo marge margie marv matt meg memo mick mickey mike mitch nacho nate ned neto nick nicky norm
paco pam pancho pat patsy patty peg peggy pepe pete phil quique rafa randy ray rich rick ricky rob robbie ron ronnie russ sal sam sammy sandy sid stan
steph steve sue susie suzy tavo ted teddy terry tim tito tom tommy tono tony trish vic vicki vicky vince vinny wally walt wes will willie zach zack
"""
    )
)
"""What nobody calls one of two twins whose other is called by the name in full."""


def _read() -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    short: dict[str, frozenset[str]] = {}
    formal: defaultdict[str, set[str]] = defaultdict(set)
    for name, *forms in (line.split() for line in LINES.strip().splitlines()):
        short[name] = frozenset(forms)
        for form in forms:
            formal[form].add(name)
    return short, {form: frozenset(names) for form, names in formal.items()}


WAYS = {name: number for number, line in enumerate(WRITTEN.strip().splitlines()) for name in line.split()}


def is_written_otherwise(one: str, other: str) -> bool:
    """Whether two names are one that came from another alphabet."""
    return one != other and one in WAYS and WAYS[one] == WAYS.get(other)


SHORT, FORMAL = _read()
"""The short forms of a name, and the names that a short form stands for."""
