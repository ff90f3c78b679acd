"""Names, streets and places that invented people are given; the first of each pool are the most frequent."""

from __future__ import annotations

WOMEN = tuple(
    str.split(
        "Mary Patricia Jennifer Linda Elizabeth Barbara Susan Jessica Sarah Karen Lisa Nancy Betty Sandra Margaret Ashley Kimberly "
        "Emily Donna Michelle Carol Amanda Melissa Deborah Stephanie Rebecca Sharon Laura Cynthia Dorothy Amy Kathleen Angela "
        "Shirley Emma Brenda Pamela Nicole Anna Samantha Katherine Christine Debra Rachel Carolyn Janet Maria Olivia Heather "
        "Helen Catherine Diane Julie Victoria Joyce Lauren Kelly Christina Ruth Joan Virginia Judith Evelyn Hannah Andrea Megan "
        "Cheryl Jacqueline Madison Teresa Abigail Sophia Martha Sara Gloria Janice Kathryn Ann Isabella Judy Charlotte Julia "
        "Grace Amber Alice Jean Denise Frances Danielle Marilyn Natalie Beverly Diana Brittany Theresa Kayla Alexis Doris Lori "
        "Tiffany Guadalupe Rosa Ana Carmen Luz Xiomara Yolanda Marisol Lucia Camila Valeria Ximena Aaliyah Imani Keisha Latoya "
        "Mei Ling Priya Anjali Fatima Aisha Noor Yuki Hana Svetlana Olga Ingrid Astrid Siobhan Niamh Zoe Chloe Ava Mia Harper "
        "Layla Kaylee Hailey Bailey Jayla Kyla Skylar Mckenzie Brooklyn Savannah Autumn"
    )
)
MEN = tuple(
    str.split(
        "James Robert John Michael David William Richard Joseph Thomas Christopher Charles Daniel Matthew Anthony Mark Donald "
        "Steven Andrew Paul Joshua Kenneth Kevin Brian Timothy Ronald George Jason Edward Jeffrey Ryan Jacob Nicholas Gary Eric "
        "Jonathan Stephen Larry Justin Scott Brandon Benjamin Samuel Gregory Alexander Patrick Frank Raymond Jack Dennis Jerry "
        "Tyler Aaron Jose Adam Nathan Henry Zachary Douglas Peter Kyle Noah Ethan Jeremy Christian Walter Keith Austin Roger "
        "Terry Sean Gerald Carl Dylan Harold Jordan Jesse Bryan Lawrence Arthur Gabriel Bruce Logan Billy Joe Alan Juan Elijah "
        "Willie Albert Wayne Randy Mason Vincent Liam Roy Bobby Caleb Bradley Russell Lucas Luis Carlos Miguel Jesus Alejandro "
        "Diego Javier Rafael Santiago Jamal Darnell Tyrone Malik Wei Chen Raj Arjun Omar Ahmed Hassan Hiroshi Dmitri Ivan Lars "
        "Sven Declan Finn Aiden Jayden Hayden Brayden Cayden Mateo Xavier Ezekiel Isaiah Jaylen Jalen Darius Marius"
    )
)
COMMON_LASTS = tuple(
    str.split(
        "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez Wilson Anderson Thomas "
        "Taylor Moore Jackson Martin Lee Perez Thompson White Harris Sanchez Clark Ramirez Lewis Robinson Walker Young Allen King "
        "Wright Scott Torres Nguyen Hill Flores Green Adams Nelson Baker Hall Rivera Campbell Mitchell Carter Roberts Gomez "
        "Phillips Evans Turner Diaz Parker Cruz Edwards Collins Reyes Stewart Morris Morales Murphy Cook Rogers Gutierrez Ortiz "
        "Morgan Cooper Peterson Bailey Reed Kelly Howard Ramos Kim Cox Ward Richardson Watson Brooks Chavez Wood James Bennett "
        "Gray Mendoza Ruiz Hughes Price Alvarez Castillo Sanders Patel Myers Long Ross Foster Jimenez Powell Jenkins Perry"
    )
)
LASTS = (
    *COMMON_LASTS, "O'Brien", "O'Connor", "De La Cruz", "Van Dyke", "St. James", "McDonald", "Muñoz", "Peña", "Núñez", "Müller",
    "D'Angelo", "Le Blanc",
)  # fmt: skip
HISPANIC = frozenset(
    str.split("Garcia Rodriguez Martinez Hernandez Lopez Gonzalez Perez Sanchez Ramirez Torres Flores Rivera Gomez")
)
SYLLABLES = str.split(
    "bar ber bor cal cor dal den dor fal fen gar gel hal hen kal kel lan len mar mel mor nal nor pel ral rin sal sen tal tor "
    "val ven wal wen zan zel stro bra kle gri pfe witz mann ski ova berg ton ley field worth shaw sen ini etti"
)
STREETS = tuple(
    str.split(
        "Oak Maple Cedar Pine Elm Washington Lake Hill Walnut Spring North Ridge Church Willow Mill Sunset Railroad Jefferson "
        "Center Highland Forest Jackson River Meadow Johnson Franklin Cherry Dogwood Hickory Laurel Magnolia Peachtree Wheeler "
        "Broad Greene Telfair Ellis Reynolds Fenwick Walton Monte Sano Milledge Berckmans Skinner Flowing Columbia"
    )
)
WAYS = ("Street", "Avenue", "Road", "Drive", "Lane", "Court", "Circle", "Way", "Place", "Boulevard")
TOWNS = (
    ("Augusta", "GA", "30901"), ("Augusta", "GA", "30904"), ("Augusta", "GA", "30906"), ("Augusta", "GA", "30907"),
    ("Augusta", "GA", "30909"), ("Martinez", "GA", "30907"), ("Evans", "GA", "30809"), ("Grovetown", "GA", "30813"),
    ("Hephzibah", "GA", "30815"), ("North Augusta", "SC", "29841"), ("Aiken", "SC", "29801"), ("Thomson", "GA", "30824"),
)  # fmt: skip
OTHER_TOWNS = (
    ("Columbus", "OH", "43004"), ("Dublin", "OH", "43016"), ("Westerville", "OH", "43081"), ("Hilliard", "OH", "43026"),
    ("Columbus", "OH", "43201"), ("Columbus", "OH", "43214"), ("Columbus", "OH", "43229"), ("Gahanna", "OH", "43230"),
    ("Grove City", "OH", "43123"), ("Reynoldsburg", "OH", "43068"), ("Delaware", "OH", "43015"), ("Newark", "OH", "43055"),
)  # fmt: skip
