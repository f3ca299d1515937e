"""Short messages with names, numbers, times and places, made from sentences and lists written for this project.

They teach the language model what such a message looks like, so that its belief costs fewer bits a token.
"""

from __future__ import annotations

import re

import numpy as np

_FIRST = """Aaron Abdul Adele Aisha Alan Alex Alice Amir Amy Ana Andrea Andrew Angela Anita Anna Antonio Arjun
Astrid Barbara Ben Bianca Boris Brian Bruno Camille Carlos Carmen Caroline Charles Chen Chiara Chloe Chris Claire
Daniel Dario David Deepa Diana Diego Dmitri Elena Elias Elise Ella Emil Emily Eric Esther Eva Fatima Felix Fiona
Francesca Frank Gabriel George Giulia Grace Hannah Hans Harry Hassan Helen Henry Hiroshi Hugo Ian Ibrahim Ines Irina
Isabel Jack Jacob James Jamal Jane Javier Jean Jenny Joao John Jorge Joseph Julia Karim Karl Kate Kevin Kim Lara
Laura Leila Lena Leon Liam Linda Lisa Louis Lucas Lucy Mahmoud Marco Margaret Maria Mark Marta Martin Mary Mateo Max
Mei Mia Michael Milan Mohammed Monika Nadia Natalie Nathan Nick Nicole Nina Noah Nora Oliver Olivia Oscar Paolo Patrick
Paul Petra Philip Priya Rachel Rahul Raj Rebecca Richard Rita Robin Rosa Ruth Ryan Sam Samira Sara Sean Sergei Simon
Sofia Stefan Steve Susan Svetlana Tariq Teresa Thomas Tim Tina Tom Ulrike Valentina Vera Victor Wei William Yara Yuki
Yusuf Zoe""".split()
_LAST = """Adams Ahmed Allen Andersson Baker Bauer Becker Bell Bennett Berg Bianchi Brown Campbell Carter Castro Chan
Clark Collins Costa Cruz Davies Diaz Dubois Edwards Evans Fernandez Ferrari Fischer Fisher Foster Garcia Gomez Gray
Green Gupta Hall Hansen Harris Hernandez Hill Hoffmann Hughes Ito Jackson Jensen Johnson Jones Kaya Keller Kelly Khan
King Klein Kowalski Kumar Lambert Larsen Lee Lewis Li Lopez Lund Martin Martinez Mason Meyer Miller Moore Morgan
Mueller Murphy Nguyen Nielsen Novak O'Brien Okoye Olsen Ortiz Parker Patel Perez Peters Petrov Phillips Popov Reed
Reyes Richter Rivera Roberts Rossi Russo Sanchez Santos Sato Schmidt Schneider Scott Sharma Silva Singh Smith Stewart
Suzuki Tanaka Taylor Thompson Torres Tran Turner Vargas Wagner Walker Wang Ward Watson Weber White Williams Wilson
Wong Wood Wright Yamamoto Yilmaz Young Zhang""".split()
_CITY = """Accra Algiers Amsterdam Antwerp Athens Atlanta Auckland Austin Baghdad Bangkok Barcelona Basel Beijing
Beirut Belgrade Bergen Berlin Bern Bogota Bologna Bordeaux Boston Brisbane Brussels Bucharest Budapest Cairo Calgary
Cardiff Chennai Cologne Copenhagen Dakar Dallas Damascus Delhi Denver Detroit Dresden Dubai Dundee Edinburgh Florence
Frankfurt Geneva Genoa Ghent Glasgow Graz Hanoi Havana Helsinki Houston Istanbul Jakarta Jerusalem Karachi Kiel Krakow
Leipzig Lima Lisbon Liverpool London Lyon Madrid Malaga Manchester Manila Marseille Melbourne Miami Milan Minsk
Montreal Moscow Mumbai Munich Naples Nice Odessa Osaka Oslo Ottawa Oxford Palermo Paris Perth Phoenix Porto Prague
Quito Riga Rome Rotterdam Salzburg Santiago Seattle Seoul Seville Singapore Sofia Stockholm Sydney Tallinn Tbilisi
Tehran Tokyo Toronto Tripoli Tunis Turin Valencia Vancouver Venice Vienna Warsaw Washington Wellington Zagreb
Zurich""".split()
_STREET = """Main Church Park High Station Mill School Victoria Queen King Green Oak Elm Cedar Pine Lake River Hill
Garden Market Bridge North South West Castle York London Windsor Albert George Chestnut Maple Washington Lincoln
Franklin Jefferson Harbour Rose Forest Spring""".split()
_KIND = "Street Road Lane Avenue Drive Square Way".split()
_THING = """apples|batteries|beds|blankets|books|bottles of water|boxes|bricks|cables|candles|cars|chairs|coffees|
computers|containers|crates|cups|desks|doors|envelopes|flags|flowers|generators|gloves|helmets|horses|jackets|keys|
lamps|letters|loaves of bread|masks|oranges|packets|pallets|parcels|pens|phones|pizzas|plates|pumps|radios|sacks of
rice|sandwiches|sheep|shovels|tablets|tables|tents|tickets|towels|trucks|tyres|umbrellas|valves|windows""".replace(
    "\n", " "
).split("|")
_DAY = "Monday Tuesday Wednesday Thursday Friday Saturday Sunday".split()
_MONTH = "January February March April May June July August September October November December".split()
_ROLE = """Captain|Dr.|Mr.|Mrs.|Ms.|Professor|Nurse|Inspector|Sergeant|Officer|Major|Uncle|Aunt|Judge|Coach""".split(
    "|"
)
_UNIT = """metres|kilometres|km|miles|kg|grams|litres|tonnes|feet|percent|degrees|volts|watts|minutes|hours|days|
seconds|years|cm|mm|ml|mg|bar|knots|inches|pounds|km/h""".replace("\n", "").split("|")
_MONEY = "dollars|euros|pounds|francs|yen|rupees|pesos".split("|")
_WORD = """Alpha Bravo Charlie Delta Echo Foxtrot Golf Hotel India Juliet Kilo Lima Mike November Oscar Papa Quebec
Romeo Sierra Tango Uniform Victor Whiskey Zulu Phoenix Eagle Falcon Tiger Orion Neptune Apollo Atlas Titan""".split()
_BLOOD = "A positive|A negative|B positive|B negative|AB positive|AB negative|O positive|O negative".split(
    "|"
)

_SENTENCES = """Meet me at {time} on {day}
Meet {name} at {time} in {city}
Call {name} before {time}
Call {role} {last} at {phone}
{name} will arrive on {day} at {time}
My phone number is {phone}
The number of {name} is {phone}
Please send {n2} {things} to {city}
Please bring {n1} {things} on {day}
We need {n2} {things} by {date}
Buy {n1} {things} and {n1} {things}
The train to {city} leaves at {time} from platform {n1}
Train {n3} from {city} is {n2} minutes late
Flight {code} to {city} departs at {time}
Flight {code} from {city} has been cancelled
Your flight {code} leaves from gate {gate}
Bus {n2} stops at {street}
The ferry to {city} sails at {time} on {day}
Invoice {n4} of {money} is due on {date}
Invoice {n4} was paid by {full}
Order {n4} was shipped to {city} on {date}
Your order number is {n4}
Send {money} to {full}
{name} owes me {money} for the tickets
I paid {money} for {n1} {things}
The bill for {role} {last} is {money}
The rent is {money} a month
The code for the door is {n4}
The password is {word}{n2}
The PIN of the card is {n4}
Room {n3} is on floor {n1}
Your room number is {n3}, ask for {name}
{role} {last} is in room {n3}
{role} {last} will see you on {day} at {time}
Your appointment with {role} {last} is on {date} at {time}
Patient {full}, blood type {blood}
{full} has blood type {blood}
Give {name} {n2} mg at {time}
The patient in bed {n1} has a fever of {n2}.{n1} degrees
{role} {last} reports {n2} people on board
{word} {n1}, this is {word} {n1}, over
{word} {n1} requests permission to land
Team {word} reached camp {n1} at {time}
{n2} people are missing near {city}
{n2} people were hurt in {city} on {day}
There was a fire at {n2} {street}
The fire in {street} is under control
{name} lives at {n2} {street}, {city}
My address is {n2} {street}
Turn left after {n3} metres onto {street}
Take exit {n2} towards {city}
Road {n2} to {city} is closed until {date}
The bridge at {city} can carry {n2} tonnes
It is {n2} km from {city} to {city}
The temperature in {city} is {n2} degrees
It was minus {n1} degrees in {city} on {day}
Wind {n2} knots from the west
Position {n2}.{n3} north, {n2}.{n3} east
The ship {word} docks at pier {n1} on {day}
Speed {n2} {unit}, course {n3}
The tank holds {n3} litres
Pressure in tank {n1} is {n1}.{n1} bar
Pump {n1} failed at {time}
Engine {n1} is running at {n4} rpm
Battery {n1} is at {n2} percent
The level is {n2}.{n1} {unit}
The box weighs {n2} {unit} and is {n2} cm long
Add {n3} ml of water and {n1} spoons of sugar
Bake it at {n3} degrees for {n2} minutes
Replace fuse {n1} in cabinet {n2}
Part number {code}, serial {n4}
Version {n1}.{n1} was released on {date}
Frequency {n3}.{n3} MHz
{city} beat {city} {n1} to {n1}
{name} scored {n2} points against {city}
{name} won the race in {n2} minutes
{name} passed the exam with {n2} percent
{name} is {n2} years old today
The birthday of {name} is on {date}
{full} was born on {date} {year}
{full} was born in {city} in {year}
{name} and {name} married in {city} in {year}
{role} {last} died in {year}
The war ended in {year}
The company was founded in {year} by {full}
{name} moved to {city} in {month} {year}
The concert of {full} starts at {time}
Dinner with {name} at {time} on {day}
Lunch for {n1} at {time}, table under {last}
Table for {n1} under the name {last}
Seat {gate}, coach {n1}
Ticket {n4} for {full}
The meeting is moved to {time} on {day}
The meeting with {role} {last} is at {time}
Tell {name} that the meeting is at {time}
Ask {name} for the key to room {n3}
{name} lost {n1} {things} in {city}
{name} found {n1} {things} in {street}
The key is with {role} {last} in room {n3}
The library in {street} closes at {time}
The office in {city} opens on {date}
School starts on {date} at {time}
The exam is on {day} in room {n3}
Page {n3}, line {n2}
Chapter {n1} starts on page {n3}
{n1} adults and {n1} children need help in {city}
{n3} people live in the village
The mountain is {n4} metres high
The river is {n4} kilometres long
Vote for {full} on {date}
The price rose to {money}
The rate rises to {n1}.{n2} percent in {month}
Exchange {money} for {name}
The car with plate {code} is parked at {n2} {street}
Pick up {name} from {city} station at {time}
Drive {n2} km north to {city}
Wait for {name} at gate {gate}
{name} is on the way, {n2} minutes
I will be in {city} from {date} to {date}
The doctor gave {name} {n1} tablets
Water the {things} on {day}
Do not open door {n1} before {time}
The alarm in building {n1} went off at {time}
{full}, {n2} {street}, {city}
Happy birthday {name}, see you at {time}
Sorry {name}, I am {n2} minutes late
Good morning {name}, the parcel is here
Thanks {name}, I got the {things}
Can you send me {n1} {things}, {name}
When does {name} arrive in {city}
Does the {time} train stop in {city}
Is {role} {last} in {city} on {day}
{name} needs the report by {day} at {time}
Delete file {n3} and call {name}
Section {n1}.{n1} was written by {role} {last}
Gate {gate} is closed, go to gate {gate}
Unit {n1} is at {n2} {street}
All {n2} passengers are safe
The last bus to {city} leaves at {time}
Meeting point is {city} station at {time}""".splitlines()


def short_messages(count: int, rng: np.random.Generator) -> list[str]:
    """`count` messages drawn at random."""
    return [_message(rng) for _ in range(count)]


def _message(rng: np.random.Generator) -> str:
    sentence = _SENTENCES[rng.integers(len(_SENTENCES))]
    if rng.random() < 0.1:
        sentence = f"{sentence}, {_SENTENCES[rng.integers(len(_SENTENCES))]}"
    text = re.sub(r"\{(\w+)\}", lambda found: _fill(found[1], rng), sentence)
    chance = rng.random()
    if chance < 0.12:
        text += "."
    elif chance < 0.16:
        text = text[0].lower() + text[1:]
    return text


def _fill(slot: str, rng: np.random.Generator) -> str:
    """A value of a place in a sentence."""

    def pick(values: list[str]) -> str:
        return values[rng.integers(len(values))]

    def number(low: int, high: int) -> str:
        return str(rng.integers(low, high))

    if slot == "time":
        hour, minute = int(rng.integers(0, 24)), int(rng.choice([0, 15, 30, 45, int(rng.integers(60))]))
        forms = (
            f"{hour}:{minute:02d}",
            f"{hour:02d}:{minute:02d}",
            f"{hour % 12 + 1} {pick(['am', 'pm'])}",
            pick(["noon", "midnight"]),
            str(hour % 12 + 1),
        )
        return str(rng.choice(forms, p=[0.45, 0.2, 0.2, 0.05, 0.1]))
    if slot == "date":
        day, month = number(1, 31), pick(_MONTH)
        return pick([f"{day} {month}", f"{month} {day}", f"the {day}th of {month}", pick(_DAY)])
    if slot == "money":
        amount = pick([number(1, 100), number(100, 1000), f"{number(1, 10)},{number(100, 1000)}"])
        return pick(
            [
                f"{amount} {pick(_MONEY)}",
                f"{amount} {pick(_MONEY)}",
                f"${amount}",
                f"{amount}.{number(10, 100)} {pick(_MONEY)}",
            ]
        )
    if slot == "phone":
        return pick(
            [
                f"{number(100, 1000)} {number(1000, 10000)}",
                f"0{number(100, 1000)} {number(1000, 10000)}",
                f"555 {number(1000, 10000)}",
                f"{number(100, 1000)}-{number(1000, 10000)}",
            ]
        )
    simple = {
        "n1": lambda: number(1, 13),
        "n2": lambda: number(10, 100),
        "n3": lambda: number(100, 1000),
        "n4": lambda: pick(
            [number(1000, 10000), f"{number(1, 100)}-{number(100, 10000)}", number(10000, 100000)]
        ),
        "year": lambda: number(1850, 2026),
        "day": lambda: pick(_DAY),
        "month": lambda: pick(_MONTH),
        "name": lambda: pick(_FIRST),
        "last": lambda: pick(_LAST),
        "full": lambda: f"{pick(_FIRST)} {pick(_LAST)}",
        "city": lambda: pick(_CITY),
        "street": lambda: f"{pick(_STREET)} {pick(_KIND)}",
        "things": lambda: pick(_THING),
        "role": lambda: pick(_ROLE),
        "unit": lambda: pick(_UNIT),
        "word": lambda: pick(_WORD),
        "blood": lambda: pick(_BLOOD),
        "gate": lambda: f"{pick(list('ABCDEF'))}{number(1, 40)}",
        "code": lambda: f"{pick(list('ABDEFKLQSTUX'))}{pick(list('ABCFHLRSXZ'))} {number(10, 5000)}",
    }
    return simple[slot]()
