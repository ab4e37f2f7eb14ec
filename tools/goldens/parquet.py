"""Makes tests/goldens/parquet: small Parquet files and, beside each, what pyarrow reads from it as JSON lines.

    python tools/goldens/parquet.py     (from the repository root)

Needs pyarrow 23.0.1. Seed 7 everywhere.
"""

import datetime
import decimal
import json
import pathlib
import random

import pyarrow as pa
import pyarrow.parquet as pq

FOLDER = pathlib.Path("tests/goldens/parquet")
UTC = datetime.timezone.utc
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])


def plain(value):
    """A value of to_pylist() as JSON has it."""
    if isinstance(value, dict):
        return {key: plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(inner) for inner in value]
    if isinstance(value, datetime.datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).isoformat()
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    return str(value) if isinstance(value, decimal.Decimal) else value


def write(name, table, expect=True, **options):
    pq.write_table(table, FOLDER / f"{name}.parquet", **options)
    if expect:
        rows = pq.read_table(FOLDER / f"{name}.parquet").to_pylist()
        (FOLDER / f"{name}.jsonl").write_text("".join(json.dumps(plain(row), ensure_ascii=False) + "\n" for row in rows))


def nested(rng, depth):
    """Lists of structs of lists …, null at every level."""
    if rng.random() < 0.2:
        return None
    if depth == 0:
        return rng.choice(["", "a", "é", "日本", "🎉\n\"\\\t\u0001", "long " * 20])
    if depth % 2 == 0:
        return [nested(rng, depth - 1) for _ in range(rng.randrange(4))]
    return {"left": nested(rng, depth - 1), "right": rng.choice([None, rng.randrange(-9, 9)])}


def nested_type(depth):
    if depth == 0:
        return pa.string()
    inner = nested_type(depth - 1)
    return pa.list_(inner) if depth % 2 == 0 else pa.struct([("left", inner), ("right", pa.int64())])


def make_nested():
    """The same rows in every encoding that writers choose, 400 rows: more than one batch."""
    rng = random.Random(7)
    table = pa.table({
        "id": pa.array(range(400), pa.int64()),
        "deep": pa.array([nested(rng, 4) for _ in range(400)], nested_type(4)),
        "chosen": pa.array([[{"role": "user", "content": f"question {i % 50}"}, {"role": "assistant", "content": None}]
                            if i % 7 else None for i in range(400)], pa.list_(MESSAGE)),
        "subset": pa.array([rng.choice(["Math", "Safety", None]) for _ in range(400)]),
    })
    write("nested", table, compression="zstd", row_group_size=300)
    for name, options in {
        "snappy_v1": dict(compression="snappy", data_page_version="1.0"),
        "gzip_v2": dict(compression="gzip", data_page_version="2.0", row_group_size=100),
        "plain": dict(compression="none", use_dictionary=False, write_statistics=False),
        "small_pages": dict(compression="zstd", data_page_size=512, write_batch_size=16, write_page_index=True,
                            write_page_checksum=True),
        "delta": dict(compression="lz4", use_dictionary=False, column_encoding={
            "id": "DELTA_BINARY_PACKED", "subset": "DELTA_BYTE_ARRAY"}),
    }.items():
        write(f"nested_{name}", table, expect=False, **options)
        assert pq.read_table(FOLDER / f"nested_{name}.parquet").equals(table)


def make_types():
    moment = datetime.datetime(2024, 2, 29, 23, 59, 59, 123456)
    zone = datetime.timezone(datetime.timedelta(hours=2))
    columns = {
        "null": pa.nulls(3),
        "bool": pa.array([True, None, False]),
        **{str(t): pa.array([low, None, high], t) for t, low, high in [
            (pa.int8(), -128, 127), (pa.int16(), -2**15, 2**15 - 1), (pa.int32(), -2**31, 2**31 - 1),
            (pa.int64(), -2**63, 2**63 - 1), (pa.uint8(), 0, 255), (pa.uint16(), 0, 2**16 - 1),
            (pa.uint32(), 0, 2**32 - 1), (pa.uint64(), 0, 2**64 - 1)]},
        "half": pa.array([0.5, None, -65504.0], pa.float16()),
        "float": pa.array([0.1, None, -0.0], pa.float32()),
        "double": pa.array([0.1, 1e300, 5e-324]),
        "whole": pa.array([1.0, 1e16, -3.0]),
        "decimal": pa.array([decimal.Decimal("1.50"), None, decimal.Decimal("-0.01")], pa.decimal128(9, 2)),
        "wide": pa.array([decimal.Decimal("1E-7"), None, decimal.Decimal(10)**40], pa.decimal256(60, 7)),
        "string": pa.array(["", None, "é\"\\/\b\f\n\r\t\u007f\u2028🎉"]),
        "large": pa.array(["x", None, ""], pa.large_string()),
        "view": pa.array(["short", None, "longer than twelve bytes"], pa.string_view()),
        "category": pa.array(["a", None, "a"]).dictionary_encode(),
        "list": pa.array([[1, None], None, []], pa.list_(pa.int32())),
        "large_list": pa.array([["a"], None, []], pa.large_list(pa.string())),
        "fixed": pa.array([[1, 2], [3, None], [5, 6]], pa.list_(pa.int32(), 2)),
        "struct": pa.array([{"a": 1, "b": ["x"]}, None, {"a": None, "b": None}],
                           pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))])),
        "map": pa.array([[("k", 1), ("l", None)], None, []], pa.map_(pa.string(), pa.int64())),
        "date": pa.array([datetime.date(1969, 12, 31), None, datetime.date(9999, 12, 31)]),
        "old": pa.array([datetime.date(1, 1, 1), None, datetime.date(1600, 2, 29)], pa.date64()),
        "time": pa.array([datetime.time(23, 59, 59, 1000), None, datetime.time(0, 0)], pa.time32("ms")),
        "fine_time": pa.array([datetime.time(1, 2, 3, 4), None, datetime.time(1, 2, 3)], pa.time64("us")),
        "timestamp": pa.array([moment, None, datetime.datetime(1969, 12, 31, 23, 59, 59, 999999)], pa.timestamp("us")),
        "seconds": pa.array([moment.replace(microsecond=0), None, datetime.datetime(1, 1, 1)], pa.timestamp("ms")),
        "zoned": pa.array([moment.replace(tzinfo=UTC), None, moment.replace(tzinfo=zone)], pa.timestamp("us", "Europe/Berlin")),
    }
    write("types", pa.table(columns), version="2.6")


def make_edges():
    write("empty", pa.table({"a": pa.array([], pa.string())}))
    write("not_finite", pa.table({"margin": [0.5, float("nan")], "other": [float("inf"), 1.0]}), expect=False)
    write("binary", pa.table({"id": [1], "image": pa.array([{"bytes": b"\xff", "path": "x.png"}])}), expect=False)
    write("invalid_utf8", pa.table({"text": pa.array([b"ok", b"\xff"]).view(pa.string())}), expect=False)
    write("duplicate", pa.table([pa.array([1]), pa.array([2])], names=["a", "a"]), expect=False)
    write("out_of_range", pa.table({"when": pa.array([2**62], pa.timestamp("us"))}), expect=False)
    nanoseconds = pa.array([1_000_000_001, 1_000_001_000], pa.timestamp("ns"))  # Python's datetime ends at microseconds
    write("nanoseconds", pa.table({"when": nanoseconds}), expect=False)


def main():
    assert pa.__version__ == "23.0.1", pa.__version__
    FOLDER.mkdir(parents=True, exist_ok=True)
    for old in FOLDER.iterdir():
        old.unlink()
    make_nested()
    make_types()
    make_edges()


if __name__ == "__main__":
    main()
