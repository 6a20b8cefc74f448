"""Makes data/deliveries.csv and data/requests.csv: four weeks of parcels, the same on every machine.

Couriers are slow or fast for some rounds, districts jammed for some hours: what was late lately tells what comes late.
"""

import csv
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

FIRST_DAY = datetime(2026, 3, 2, tzinfo=UTC)  # a Monday
DAYS = 28
ROUNDS = (8, 12, 15)  # hours at which couriers set off
PARCELS = 5  # of a courier, a round
COURIERS = ("ada", "ben", "cleo", "dan", "eva", "finn", "gus", "hana")
DISTRICTS = ("harbour", "hill", "old town", "park", "station", "west end")

DELIVERIES = ("parcel", "courier", "district", "minutes_late", "delivered_at", "reported_at")
REQUESTS = ("parcel", "courier", "district", "promised_at", "asked_at")


def write(folder):
    """Write both files into a folder."""
    folder.mkdir(exist_ok=True)
    parcels = list(make_parcels(random.Random(7)))
    save(folder / "deliveries.csv", DELIVERIES, sorted(parcels, key=lambda parcel: parcel["reported_at"]))
    save(folder / "requests.csv", REQUESTS, sorted(parcels, key=lambda parcel: parcel["asked_at"]))


def make_parcels(chance):
    """Every parcel of every round."""
    slow = dict.fromkeys(COURIERS, 0.0)
    jammed = dict.fromkeys(DISTRICTS, 0.0)
    for asked_at in rounds():
        slow = {name: 0.9 * minutes + about_zero(chance, 9) for name, minutes in slow.items()}
        jammed = {name: 0.7 * minutes + about_zero(chance, 9) for name, minutes in jammed.items()}
        for courier in COURIERS:
            for stop in range(PARCELS):
                district = DISTRICTS[int(chance.random() * len(DISTRICTS))]
                promised_at = asked_at + timedelta(minutes=30 + 25 * stop)
                rush = 5 if promised_at.hour >= 16 else 0
                minutes = round(4 + rush + slow[courier] + jammed[district] + about_zero(chance, 6))
                delivered_at = promised_at + timedelta(minutes=minutes)
                yield {
                    "parcel": f"{asked_at:%m%d-%H}-{courier}-{stop}",
                    "courier": courier,
                    "district": district,
                    "minutes_late": minutes,
                    "promised_at": promised_at,
                    "asked_at": asked_at,
                    "delivered_at": delivered_at,
                    "reported_at": delivered_at + timedelta(seconds=int(chance.random() * 2400)),
                }


def rounds():
    """When couriers set off: on working days."""
    days = (FIRST_DAY + timedelta(days=day) for day in range(DAYS))
    return [day + timedelta(hours=hour) for day in days if day.weekday() < 6 for hour in ROUNDS]


def about_zero(chance, spread):
    """A number between -spread and spread, most often near zero."""
    return spread * (chance.random() + chance.random() + chance.random() - 1.5) / 1.5


def save(path, columns, rows):
    """Write some columns of some rows as CSV; instants as 2026-03-02T08:00:00Z."""
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(columns)
        for row in rows:
            values = (row[column] for column in columns)
            table.writerow(f"{value:%Y-%m-%dT%H:%M:%SZ}" if isinstance(value, datetime) else value for value in values)


if __name__ == "__main__":
    write(Path(__file__).parent / "data")
