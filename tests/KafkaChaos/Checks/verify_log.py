"""Reads a topic with kafka-python, a client that is none of ours, and compares it with the book of a run.

    verify_log.py BOOTSTRAP TOPIC BOOK [--live] [--doubles]

BOOK has a line for each key: its name, a tab, and for each of its records one letter: D delivered, S spilled,
U unknown, R refused, P pending. --live reads before the book is there and ends when it is and all is read.
--doubles: records may be there more than once. Prints one line of JSON; exit code 0 held, 1 broken, 2 usage.
"""
import json
import os
import sys
import time

from kafka import KafkaConsumer, TopicPartition
from kafka.partitioner.default import murmur2

SILENCE_LIMIT_S = 90


def read(bootstrap, topic, book, live):
    consumer = KafkaConsumer(
        bootstrap_servers=bootstrap.split(","), enable_auto_commit=False, fetch_max_wait_ms=20, max_poll_records=5000,
        consumer_timeout_ms=1000, max_partition_fetch_bytes=4 << 20)
    found = None
    started = time.monotonic()
    while not found:
        found = consumer.partitions_for_topic(topic)
        if not found and time.monotonic() - started > SILENCE_LIMIT_S:
            raise SystemExit(f"verify_log.py: topic {topic} is not there")
    partitions = [TopicPartition(topic, number) for number in sorted(found)]
    consumer.assign(partitions)
    consumer.seek_to_beginning()
    ends, heard = None, time.monotonic()
    while True:
        if ends is None and (not live or os.path.exists(book)):
            ends = consumer.end_offsets(partitions)
        if ends is not None and all(consumer.position(p) >= ends[p] for p in partitions):
            break
        batches = consumer.poll(timeout_ms=200)
        for partition, records in batches.items():
            heard = time.monotonic()
            for record in records:
                yield len(partitions), partition.partition, record.key, int(record.value.split(b".", 1)[0])
        if ends is not None and time.monotonic() - heard > SILENCE_LIMIT_S:
            raise SystemExit(f"verify_log.py: nothing comes and the ends {ends} are not reached")
    consumer.close()


def main():
    options = {argument for argument in sys.argv[1:] if argument.startswith("--")}
    words = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    if len(words) != 3 or options - {"--live", "--doubles"}:
        print(__doc__, file=sys.stderr)
        return 2
    bootstrap, topic, book = words
    times, last, home = {}, {}, {}
    there = out_of_order = misplaced = doubled = 0
    for count, partition, key, number in read(bootstrap, topic, book, "--live" in options):
        there += 1
        if key not in home:
            # Java's partitioner: the hash without its sign, modulo the partitions.
            home[key] = (murmur2(key) & 0x7FFFFFFF) % count
            times[key], last[key] = {}, -1
        misplaced += partition != home[key]
        seen = times[key].get(number, 0)
        times[key][number] = seen + 1
        if seen:
            doubled += 1
        else:
            out_of_order += number < last[key]
            last[key] = max(last[key], number)
    missing = refused_there = ghosts = 0
    with open(book, encoding="ascii") as lines:
        fates = dict(line.rstrip("\n").split("\t") for line in lines)
    for key, letters in fates.items():
        seen = times.get(key.encode(), {})
        missing += sum(1 for number, letter in enumerate(letters) if letter in "DS" and number not in seen)
        refused_there += sum(1 for number, letter in enumerate(letters) if letter == "R" and number in seen)
        ghosts += sum(1 for number in seen if number >= len(letters))
    ghosts += sum(len(seen) for key, seen in times.items() if key.decode() not in fates)
    result = {
        "there": there, "keys": len(times), "missing": missing, "doubled": doubled, "out_of_order": out_of_order,
        "misplaced": misplaced, "refused_there": refused_there, "ghosts": ghosts,
    }
    print(json.dumps(result))
    broken = missing or out_of_order or misplaced or refused_there or ghosts or (doubled and "--doubles" not in options)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
