#!/usr/bin/env python3
"""docs/format.md, tried out: a second implementation, written from that page alone, in plain Python.

    format.py POND REMOTE BUNDLE=SOURCE...

POND is a pond of two transactions, REMOTE its backup; each BUNDLE is a chunked Parquet file and SOURCE its content. Makes
every bundle again from its content and compares byte by byte; so with the OpLog's first part, the logs, the remote's names.
Only the payload of zstd pages is taken from the file, for Python cannot compress it.
"""
import json
import multiprocessing
import os
import re
import struct
import sys

# ---- BLAKE3 (format.md, "BLAKE3 trees") ----

MASK = 0xFFFFFFFF
IV = (0x6A09E667, 0xBB67AE85, 0x3C6EF372, 0xA54FF53A, 0x510E527F, 0x9B05688C, 0x1F83D9AB, 0x5BE0CD19)
CHUNK_START, CHUNK_END, PARENT, ROOT = 1, 2, 4, 8
PERMUTATION = (2, 6, 3, 10, 7, 0, 4, 13, 1, 11, 12, 5, 9, 14, 15, 8)
MIXES = ((0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
         (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14))
ROUNDS = [tuple(range(16))]
while len(ROUNDS) < 7:
    ROUNDS.append(tuple(ROUNDS[-1][i] for i in PERMUTATION))
STEPS = [(*MIXES[i], r[2 * i], r[2 * i + 1]) for r in ROUNDS for i in range(8)]


def compress(cv, block, counter, size, flags):
    m = struct.unpack("<16I", block)
    v = [*cv, *IV[:4], counter & MASK, counter >> 32, size, flags]
    for a, b, c, d, x, y in STEPS:
        va = (v[a] + v[b] + m[x]) & MASK
        vd = v[d] ^ va
        vd = (vd >> 16 | vd << 16) & MASK
        vc = (v[c] + vd) & MASK
        vb = v[b] ^ vc
        vb = (vb >> 12 | vb << 20) & MASK
        v[a] = va = (va + vb + m[y]) & MASK
        vd ^= va
        v[d] = vd = (vd >> 8 | vd << 24) & MASK
        v[c] = vc = (vc + vd) & MASK
        vb ^= vc
        v[b] = (vb >> 7 | vb << 25) & MASK
    return [v[i] ^ v[i + 8] for i in range(8)]


def leaf(data, index, flags=0):
    cv = IV
    for at in range(0, max(len(data), 1), 64):
        block = data[at:at + 64]
        here = flags if at + 64 >= len(data) else 0
        here |= (CHUNK_START if at == 0 else 0) | (CHUNK_END if at + 64 >= len(data) else 0)
        cv = compress(cv, block.ljust(64, b"\0"), index, len(block), here)
    return struct.pack("<8I", *cv)


def parent(pair, flags=0):
    return struct.pack("<8I", *compress(IV, pair, 0, 64, PARENT | flags))


def leaves_of(job):
    data, first = job
    return [leaf(data[at:at + 1024], first + at // 1024) for at in range(0, max(len(data), 1), 1024)]


def leaves(data, pool):
    step = 1 << 16
    jobs = [(data[at:at + step], at // 1024) for at in range(0, max(len(data), 1), step)]
    return [cv for part in pool.map(leaves_of, jobs) for cv in part]


def node(cvs, outboard=None, flags=0):
    """The node above these leaves; pairs above blocks of 16 leaves go to outboard, in pre-order."""
    if len(cvs) == 1:
        return cvs[0]
    left = 1 << (len(cvs) - 1).bit_length() - 1
    place = None
    if outboard is not None and len(cvs) > 16:
        place = len(outboard)
        outboard.append(None)
    pair = node(cvs[:left], outboard) + node(cvs[left:], outboard)
    if place is not None:
        outboard[place] = pair
    return parent(pair, flags)


def root(data, cvs):
    return leaf(data, 0, ROOT) if len(cvs) == 1 else node(cvs, flags=ROOT)


def blake3(data, pool):
    return root(data, leaves(data, pool))


# ---- Thrift's compact protocol, as far as Parquet needs it: a value is (type, bytes) ----


def varint(n):
    out = bytearray()
    while n >= 0x80:
        out.append(n & 0x7F | 0x80)
        n >>= 7
    out.append(n)
    return bytes(out)


def zigzag(n):
    return varint(n << 1 if n >= 0 else (-n << 1) - 1)


def i16(n): return 4, zigzag(n)
def i32(n): return 5, zigzag(n)
def i64(n): return 6, zigzag(n)
def true(): return 1, b""
def binary(b): return 8, varint(len(b)) + b
def text(s): return binary(s.encode())


def items(values):
    kind = values[0][0]
    head = bytes([len(values) << 4 | kind]) if len(values) < 15 else bytes([0xF0 | kind]) + varint(len(values))
    return 9, head + b"".join(v[1] for v in values)


def fields(**values):
    """f1=..., f3=...: a struct."""
    out, last = b"", 0
    for name, (kind, content) in values.items():
        number = int(name[1:])
        out += bytes([(number - last) << 4 | kind]) + content
        last = number
    return 12, out + b"\0"


# ---- Parquet ----

PLAIN, RLE = 0, 3
UNCOMPRESSED, ZSTD = 0, 6
BOOLEAN, INT32, INT64, BYTE_ARRAY = 0, 1, 2, 6


def u32(n): return struct.pack("<I", n)
def int64(n): return struct.pack("<q", n)
def string(s): return u32(len(s)) + s.encode()


def page_header(uncompressed, stored, values=1):
    data_page = fields(f1=i32(values), f2=i32(PLAIN), f3=i32(RLE), f4=i32(RLE))
    return fields(f1=i32(0), f2=i32(uncompressed), f3=i32(stored), f5=data_page)[1]


def page(body):
    return page_header(len(body), len(body)) + body


STRING, BINARY, LONG, INTEGER, FLAG, TIMESTAMP = "string", "binary", "long", "integer", "boolean", "timestamp"
PHYSICAL = {STRING: BYTE_ARRAY, BINARY: BYTE_ARRAY, LONG: INT64, INTEGER: INT32, FLAG: BOOLEAN, TIMESTAMP: INT64}


def schema(columns, repetition):
    out = [fields(f4=text("schema"), f5=i32(len(columns)))]
    for name, kind in columns:
        extra = {}
        if kind == STRING:
            extra = dict(f6=i32(0), f10=fields(f1=fields()))
        if kind == TIMESTAMP:
            extra = dict(f6=i32(10), f10=fields(f8=fields(f1=true(), f2=fields(f2=fields()))))
        out.append(fields(f1=i32(PHYSICAL[kind]), f3=i32(repetition), f4=text(name), **extra))
    return items(out)


def column_chunk(name, kind, codec, sizes, offset, extreme):
    more = {}
    if extreme is not None:
        more = dict(f12=fields(f3=i64(0), f5=binary(extreme), f6=binary(extreme)))
    meta = fields(f1=i32(PHYSICAL[kind]), f2=items([i32(PLAIN), i32(RLE)]), f3=items([text(name)]), f4=i32(codec), f5=i64(1),
                  f6=i64(sizes[0]), f7=i64(sizes[1]), f9=i64(offset), **more)
    return fields(f2=i64(0), f3=meta)


def footer(columns, repetition, rows, row_groups, key_values, created_by):
    more = {}
    if key_values:
        more = dict(f5=items([fields(f1=text(k), f2=text(v)) for k, v in key_values]))
    orders = items([fields(f1=fields()) for _ in columns])
    meta = fields(f1=i32(1), f2=schema(columns, repetition), f3=i64(rows), f4=items(row_groups), **more, f6=text(created_by),
                  f7=orders)[1]
    return meta + u32(len(meta)) + b"PAR1"


# ---- bundles (format.md, "The chunked Parquet file") ----

BUNDLE = [("bundle_id", STRING), ("pond_txn_id", LONG), ("path", STRING), ("chunk_id", LONG), ("chunk_hash", STRING),
          ("chunk_outboard", BINARY), ("chunk_data", BINARY), ("total_size", LONG), ("root_hash", STRING)]
PHYSICAL_ORDER = ["bundle_id", "pond_txn_id", "path", "chunk_id", "chunk_hash", "total_size", "root_hash", "chunk_outboard",
                  "chunk_data"]
FRAME = 256 << 10


def uuid_of(root_hex, options):
    claims = f"pond bundle 1\n{root_hex}\n{options['chunk_size']}\n{options['txn']}\n{options['compression']}\n" \
             f"{options['compressor']}\n{options['level']}\n"
    b = bytearray(blake3(claims.encode(), SERIAL)[:16])
    b[6] = b[6] & 0x0F | 0x80
    b[8] = b[8] & 0x3F | 0x80
    h = b.hex()
    return f"{h[:8]}-{h[8:12]}-{h[12:16]}-{h[16:20]}-{h[20:]}"


def check_frames(payload, size):
    """The payload of a zstd page, whose seek table must say what is there."""
    count = max((size + FRAME - 1) // FRAME, 1)
    table = payload[-(8 + 8 * count + 9):]
    assert table[:8] == u32(0x184D2A5E) + u32(8 * count + 9), "seek table: head"
    assert table[-9:] == u32(count) + b"\0" + u32(0x8F92EAB1), "seek table: end"
    at = 0
    for i in range(count):
        stored, content = struct.unpack_from("<II", table, 8 + 8 * i)
        assert content == min(FRAME, size - i * FRAME) + (4 if i == 0 else 0), f"seek table: content of frame {i}"
        assert payload[at:at + 4] == u32(0xFD2FB528), f"frame {i} does not begin at {at}"
        at += stored
    assert at + len(table) == len(payload), "seek table: frames do not fill the page"


def encode(content, options, packed, pool):
    """The bundle's bytes, its root hash, and the same without uncompressed payloads. packed(id, offset): a zstd payload, or None."""
    cvs = leaves(content, pool)
    root_hex = root(content, cvs).hex()
    step = options["chunk_size"] // 1024
    constant = {"bundle_id": string("POND-FILE-" + root_hex), "pond_txn_id": int64(options["txn"]),
                "path": string(f"_large_files/blake3={root_hex}/chunks.parquet"), "total_size": int64(len(content)),
                "root_hash": string(root_hex)}
    out, form, groups = bytearray(b"PAR1"), bytearray(b"PAR1"), []
    for number, first in enumerate(range(0, len(cvs), step)):
        chunk = content[first * 1024:(first + step) * 1024]
        pairs = []
        chunk_hash = node(cvs[first:first + step], pairs) if content else root(content, cvs)
        value = dict(constant, chunk_id=int64(number), chunk_hash=string(chunk_hash.hex()))
        value["chunk_outboard"] = u32(64 * len(pairs)) + b"".join(pairs)
        pages = {name: page(body) for name, body in value.items()}
        before = b"".join(pages[name] for name in PHYSICAL_ORDER[:-1])
        payload = packed(number, len(out), before)
        compressed = payload is not None
        if compressed:
            check_frames(payload, len(chunk))
            header = page_header(4 + len(chunk), len(payload))
        else:
            payload = chunk
            header = page_header(4 + len(chunk), 4 + len(chunk)) + u32(len(chunk))
        before += header
        filler = 0 if compressed else -(len(out) + len(before)) % 4096
        start = len(out) + filler
        form += bytes(filler) + before + (payload if compressed else b"")
        out += bytes(filler) + before + payload

        places, at = {}, start
        for name in PHYSICAL_ORDER[:-1]:
            places[name] = (at, len(pages[name]), len(pages[name]))
            at += len(pages[name])
        head = len(header) if compressed else len(header) - 4
        places["chunk_data"] = (at, head + 4 + len(chunk), len(out) - at)
        columns = []
        for name, kind in BUNDLE:
            offset, uncompressed, stored = places[name]
            extreme = None if kind == BINARY else value[name][4:] if kind == STRING else value[name]
            codec = ZSTD if name == "chunk_data" and compressed else UNCOMPRESSED
            columns.append(column_chunk(name, kind, codec, (uncompressed, stored), offset, extreme))
        groups.append(fields(f1=items(columns), f2=i64(sum(p[1] for p in places.values())), f3=i64(1), f5=i64(start),
                             f6=i64(sum(p[2] for p in places.values()))))
    uuid = uuid_of(root_hex, options)
    key_values = [("pond.format_version", "1"), ("pond.chunk_size", str(options["chunk_size"])), ("pond.block_size", "16384"),
                  ("pond.root_hash", root_hex), ("pond.total_size", str(len(content))), ("pond.txn_id", str(options["txn"])),
                  ("pond.writer", "pond"), ("pond.compression", options["compression"]), ("pond.uuid", uuid),
                  ("ARROW:schema", ARROW_SCHEMA)]
    if options["compression"] != "none":
        key_values += [("pond.compressor", options["compressor"]), ("pond.compression_level", str(options["level"]))]
    end = footer(BUNDLE, 0, len(groups), groups, key_values, "pond version 1.0.0 (build chunked)")
    return bytes(out + end), root_hex, bytes(form + end), uuid


def claim(bundle, key):
    """A key's value in a footer: both are strings with their length before them."""
    end = bundle[-8 - struct.unpack_from("<I", bundle, len(bundle) - 8)[0]:]
    found = re.search(re.escape(bytes([len(key)]) + key.encode()) + rb"\x18(.)", end, re.S)
    return end[found.end():found.end() + found[1][0]].decode() if found else ""


def options_of(bundle):
    return {"chunk_size": int(claim(bundle, "pond.chunk_size")), "txn": int(claim(bundle, "pond.txn_id")),
            "compression": claim(bundle, "pond.compression"), "compressor": claim(bundle, "pond.compressor"),
            "level": int(claim(bundle, "pond.compression_level") or 0)}


def thrift_int(data, at):
    n = shift = 0
    while True:
        n |= (data[at] & 0x7F) << shift
        shift += 7
        at += 1
        if data[at - 1] < 0x80:
            return (n >> 1) ^ -(n & 1), at


def payload_reader(bundle, content, chunk_size):
    """Finds the zstd payloads: where the uncompressed header would not be, the page header says how long it is."""
    def packed(number, end_before, before):
        size = min(chunk_size, len(content) - number * chunk_size)
        at = end_before + len(before)
        if bundle[end_before:at] != before:  # filler: not compressed
            return None
        uncompressed, at = thrift_int(bundle, at + 3)  # after field 1 (type 0) and the head of field 2
        stored, at = thrift_int(bundle, at + 1)
        header = page_header(4 + size, stored)
        at = end_before + len(before) + len(header)
        return None if bundle[at:at + 4] == u32(size) else bundle[at:at + stored]
    return packed


def check_bundle(path, source, pool):
    with open(path, "rb") as f:
        bundle = f.read()
    with open(source, "rb") as f:
        content = f.read()
    options = options_of(bundle)
    made, root_hex, form, uuid = encode(content, options, payload_reader(bundle, content, options["chunk_size"]), pool)
    same(made, bundle, path)
    print(f"{os.path.basename(source)}: {len(content)} bytes, {options['compression']}, {len(bundle)} bytes of bundle: equal")
    return root_hex, form, uuid, len(bundle), -(-max(len(content), 1) // options["chunk_size"])


def same(made, found, name):
    if made != found:
        at = next((i for i, (a, b) in enumerate(zip(made, found)) if a != b), min(len(made), len(found)))
        sys.exit(f"{name}: differs from what docs/format.md says at offset {at}: {len(found)} bytes, made {len(made)};\n"
                 f"  there {found[at:at + 24].hex()}\n  made  {made[at:at + 24].hex()}")


# ---- the OpLog (format.md, "The OpLog" and "Commits") ----

OPLOG = [("txn_seq", LONG), ("node_id", STRING), ("part_id", STRING), ("name", STRING), ("entry_type", STRING),
         ("version", LONG), ("timestamp", TIMESTAMP), ("deleted", FLAG), ("size", LONG), ("storage", STRING),
         ("content", BINARY), ("blake3", STRING), ("sha256", STRING), ("mode", INTEGER), ("mtime", TIMESTAMP),
         ("mtime_nanos", INTEGER), ("attributes", STRING)]


def first_part(node_id, time_us):
    """The part of transaction 0: one row, the root directory. No page of it is worth compressing."""
    row = {"txn_seq": int64(0), "node_id": string(node_id), "name": string(""), "entry_type": string("directory"),
           "version": int64(1), "timestamp": int64(time_us), "deleted": b"\0", "size": int64(0), "mode": u32(0o755),
           "mtime": int64(time_us), "mtime_nanos": u32(0)}
    out, columns = bytearray(b"PAR1"), []
    for name, kind in OPLOG:
        levels = bytes([1 << 1, name in row])  # one run of one level
        whole = page(u32(len(levels)) + levels + row.get(name, b""))
        columns.append(column_chunk(name, kind, UNCOMPRESSED, (len(whole), len(whole)), len(out), None))
        out += whole
    size = len(out) - 4
    group = fields(f1=items(columns), f2=i64(size), f3=i64(1), f5=i64(4), f6=i64(size), f7=i16(0))
    return bytes(out) + footer(OPLOG, 1, 1, [group], [], "pond version 1.0.0 (build oplog)")


def table_schema(columns):
    return json.dumps({"type": "struct", "fields": [
        {"name": name, "type": kind, "nullable": True, "metadata": {}} for name, kind in columns]}, separators=(",", ":"))


def read(*path):
    with open(os.path.join(*path), "rb") as f:
        return f.read()


def log_of(table):
    folder = os.path.join(table, "_delta_log")
    names = sorted(n for n in os.listdir(folder) if re.fullmatch(r"\d{20}\.json", n))
    assert names == [f"{i:020}.json" for i in range(len(names))], f"{folder}: {names}"
    return [read(folder, n) for n in names]


def actions(commit):
    return [next(iter(json.loads(line).items())) for line in commit.splitlines()]


KEEP = "interval 36500 days"
KEEP_LONG = {"delta.logRetentionDuration": KEEP, "delta.deletedFileRetentionDuration": KEEP,
             "delta.enableExpiredLogCleanup": "false"}


def check_metadata(action, table_id, columns, partitions, configuration, created_ms):
    expected = {"id": table_id, "format": {"provider": "parquet", "options": {}}, "schemaString": table_schema(columns),
                "partitionColumns": partitions, "configuration": configuration, "createdTime": created_ms}
    assert action == ("metaData", expected), action


def check_oplog(pond, pool):
    parent_hash, pond_id = None, None
    for txn, commit in enumerate(log_of(pond)):
        lines = actions(commit)
        kinds = [kind for kind, _ in lines]
        assert kinds == ["commitInfo"] + (["protocol", "metaData"] if txn == 0 else []) + ["txn", "add"], kinds
        info, add = lines[0][1], lines[-1][1]
        mine = info["pond"]
        ms = mine["time_us"] // 1000
        pond_id = pond_id or mine["pond_id"]
        assert list(info) == ["timestamp", "operation", "operationParameters", "isBlindAppend", "engineInfo", "userName",
                              "userMetadata", "pond"], list(info)
        assert (info["timestamp"], info["userName"], info["userMetadata"]) == (ms, mine["user"], mine["command"])
        assert mine["txn_seq"] == txn and mine["pond_id"] == pond_id
        assert mine.get("parent_blake3") == parent_hash, f"commit {txn}: the chain is broken"
        assert dict(lines)["txn"] == {"appId": "pond-" + pond_id, "version": txn, "lastUpdated": ms}
        part = read(pond, add["path"])
        assert re.fullmatch(rf"part-{txn:020}-[0-9a-f-]{{36}}\.parquet", add["path"])
        assert add["size"] == len(part) and add["tags"] == {"blake3": blake3(part, pool).hex()}
        if txn == 0:
            assert dict(lines)["protocol"] == {"minReaderVersion": 1, "minWriterVersion": 2}
            assert mine["options"]["format"] == "chunked"
            check_metadata(lines[2], pond_id, OPLOG, [], {"delta.appendOnly": "true", **KEEP_LONG}, ms)
            node_id = re.search(rb"\x24\0\0\0([0-9a-f-]{36})", part)[1].decode()
            same(first_part(node_id, mine["time_us"]), part, add["path"])
        parent_hash = blake3(commit, pool).hex()
        print(f"commit {txn}: hash chain, part and its hash: as the page says")
    return pond_id


def check_remote(pond, remote, pond_id, bundles, pool):
    assert json.loads(read(remote, "pond.json")) == {"format_version": 1, "pond_id": pond_id}
    home, there = log_of(pond), log_of(os.path.join(remote, "oplog"))
    assert home == there, "the oplog's commits are not the pond's"
    for commit in home:
        for kind, action in actions(commit):
            if kind == "add":
                assert read(pond, action["path"]) == read(remote, "oplog", action["path"]), action["path"]
    files = log_of(os.path.join(remote, "files"))
    first = actions(files[0])
    assert [kind for kind, _ in first] == ["commitInfo", "protocol", "metaData"]
    check_metadata(first[2], first[2][1]["id"], BUNDLE, ["bundle_id"], KEEP_LONG, first[2][1]["createdTime"])
    found = {}
    for commit in files[1:]:
        lines = actions(commit)
        txn = lines[0][1]["pond"]["txn_seq"]
        assert lines[-1][0] == "txn" and lines[-1][1]["appId"] == "pond-" + pond_id and lines[-1][1]["version"] == txn
        adds = [action for kind, action in lines[1:-1] if kind == "add"]
        assert len(adds) == len(lines) - 2 and [a["path"] for a in adds] == sorted(a["path"] for a in adds)
        found.update((add["path"], add) for add in adds)
    for root_hex, form, uuid, size, chunks in bundles:
        bundle_id = "POND-FILE-" + root_hex
        add = found.pop(f"bundle_id={bundle_id}/part-00000-{uuid}.parquet")
        assert add["partitionValues"] == {"bundle_id": bundle_id} and add["size"] == size
        assert json.loads(add["stats"]) == {"numRecords": chunks} and add["dataChange"] is True
        assert add["tags"] == {"form_blake3": blake3(form, pool).hex()}, f"{bundle_id}: form_blake3"
        home_path = f"_large_files/blake3={root_hex}/chunks.parquet"
        assert read(pond, home_path) == read(remote, "files", add["path"]), "the copy is not literal"
    assert not found, f"bundles at the remote that the test does not know: {list(found)}"
    print(f"remote: {len(bundles)} bundles under the names and with the tags that the page gives")


class Serial:
    """A pool of one."""
    @staticmethod
    def map(function, jobs): return [function(job) for job in jobs]


SERIAL = Serial()
DOCUMENT = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/format.md")


def arrow_schema():
    with open(DOCUMENT, encoding="utf-8") as f:
        found = re.search(r"ARROW:schema value:\n+```text\n(.*?)```", f.read(), re.S)
    return "".join(found[1].split())


ARROW_SCHEMA = arrow_schema()


def main():
    pond, remote, *pairs = sys.argv[1:]
    with multiprocessing.Pool() as pool:
        assert blake3(b"", SERIAL).hex() == "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262"
        inside = []
        for pair in pairs:
            path, source = pair.split("=", 1) if not pair.startswith("@") else (None, pair[1:])
            if path is None:  # stored in the pond: found there by its hash
                with open(source, "rb") as f:
                    root_hex = blake3(f.read(), pool).hex()
                path = os.path.join(pond, f"_large_files/blake3={root_hex}/chunks.parquet")
                inside.append(check_bundle(path, source, pool))
            else:
                check_bundle(path, source, pool)
        pond_id = check_oplog(pond, pool)
        check_remote(pond, remote, pond_id, inside, pool)


if __name__ == "__main__":
    main()
