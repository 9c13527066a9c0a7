"""Rows of a sealed segment: FORMAT.md, section "Segment"."""

import bisect
import itertools
import re
from dataclasses import dataclass

from basics import Damaged, Frame, Input, as_text, crc, need, running, time_text, unzstd
from records import Row

KEYS, COLUMNS, TEXT, FOOTER = 1, 2, 3, 10
SECTIONS = {"templates": 4, "tables": 5}
# Of each list: the kind of its frames, and items a page.
LISTS = {
    "conversations": (6, 128),
    "senders": (7, 128),
    "sets": (8, 64),
    "custodians": (11, 64),
    "entries": (12, 128),
    "predictions": (13, 32),
    "facts": (14, 4),
}
WITH_BORDERS = ("conversations", "senders", "custodians", "facts")
NUMBERED, NUMBER = ("custodians", "facts"), 4
LONG_ROWS = 256
CODE, CODES_OF_ITEM = 3, 64
MOST_ENTRY = 512
MOST_LEVELS = 256
HOLE = re.compile(rb"[\0\1]")


@dataclass
class Group:
    rows: int
    keys_size: int
    columns_size: int
    chunks: list
    bounds: list
    times: int
    senders: list
    sets: list

    def check(self, keys):
        """Does it say what the keys of its rows say?"""
        of_keys = [(min(some), max(some)) for some in (keys.created, keys.modified, keys.sequences)]
        need(self.bounds == of_keys, "bounds of a group")
        low = min(self.bounds[0][0], self.bounds[1][0])
        part = (max(self.bounds[0][1], self.bounds[1][1]) - low) // 512 + 1
        slices = {(at - low) // part for at in keys.created + keys.modified}
        need(self.times == sum(1 << at for at in slices), "times of a group")
        need(self.senders == sorted(set(keys.senders)), "senders of a group")
        need(self.sets == sorted(set(keys.sets)), "sets of a group")


def read_group(data):
    rows, keys, columns = data.v(), data.v(), data.v()
    chunks = data.list(lambda: (data.v(), data.v()))
    bounds, times = [data.bounds() for _ in range(3)], int.from_bytes(data.take(64), "little")
    _has_ids, _kinds = data.byte(), data.v()
    senders, sets = data.rising(), data.rising()
    group = Group(rows, keys, columns, chunks, bounds, times, senders, sets)
    need(1 <= group.rows <= 4096, f"a group of {group.rows} rows")
    need(sum(rows for rows, _ in group.chunks) == group.rows, "rows of chunks")
    return group


@dataclass
class Page:
    size: int
    border: bytes
    first_row: int


class Directory:
    """Where the pages of a list are."""

    def __init__(self, data, name, rows):
        self.name, (self.kind, self.full) = name, LISTS[name]
        self.items, self.pages = data.v(), []
        row = 0
        for _ in range(-(-self.items // self.full)):
            size = data.v()
            border = data.block() if name in WITH_BORDERS else b""
            row += data.v() if name == "conversations" else 0
            self.pages.append(Page(size, border, row))
        if name in WITH_BORDERS:
            need(ascend([page.border for page in self.pages]), f"borders of {name}")
        if name in ("conversations", "senders", "sets"):
            need(self.items <= rows, f"more {name} than rows")

    def read(self, data, at):
        """The items of all pages, the first rows of conversations, and where the pages end."""
        items, rows = [], []
        for number, page in enumerate(self.pages):
            frame = Frame(data, at)
            need(frame.end == at + page.size, f"a page of {self.name}")
            payload, at = frame.of(self.kind), frame.end
            some = payload.list(payload.block)
            left = self.items - number * self.full
            need(len(some) == min(self.full, left), f"items of a page of {self.name}")
            if self.name in WITH_BORDERS:
                need(page.border <= self.key(some[0]), f"a border of {self.name}")
                need(not items or self.key(items[-1]) < page.border, f"a border of {self.name}")
            if self.name == "conversations":
                first_rows = payload.rising()
                need(len(first_rows) == len(some), "rows of conversations")
                need(first_rows[0] == page.first_row, "the first row of a page")
                rows += first_rows
            payload.end()
            items += some
        if self.name in WITH_BORDERS:
            need(ascend([self.key(item) for item in items]), self.name)
        return items, rows, at

    def key(self, item):
        return item[:NUMBER] if self.name in NUMBERED else item


def ascend(some):
    return all(before < behind for before, behind in zip(some, some[1:]))


class Footer:
    def __init__(self, data):
        self.number, self.dictionary = data.v(), data.v()
        self.rows, self.messages = data.v(), data.v()
        self.beside, self.whole, self.bytes = data.v(), data.v(), data.v()
        self.multiset = int.from_bytes(data.take(32), "little")
        self.root = data.take(32)
        _bounds = [data.bounds() for _ in range(3)]
        self.groups = data.list(lambda: read_group(data))
        self.lists = {name: Directory(data, name, self.rows) for name in LISTS}
        self.sections = [data.v() for _ in SECTIONS]
        data.end()
        need(sum(group.rows for group in self.groups) == self.rows, "rows of groups")


def find_footer(data):
    """The footer and where the first of its two copies begins."""
    trailer = Input(data[-16:])
    size, checksum, magic = trailer.u32(), trailer.u32(), trailer.take(8)
    need(magic == b"CVSEGEND" and checksum == crc(data[-16:-12]), "trailer")
    first = len(data) - 16 - 2 * size
    problem = None
    for at in (first, first + size):
        try:
            return Footer(Frame(data, at).of(FOOTER)), first
        except Damaged as error:
            problem = error
    raise problem


@dataclass
class Table:
    is_time: bool
    context: int
    entries: list
    predictions: list


def read_tables(data, entries, predictions):
    """The columns' tables; entries and predictions stand in the order of the columns."""

    def head():
        kind, context, owner = data.byte(), data.v(), data.v()
        return kind, context, owner, 0 if owner else data.v(), data.v()

    heads = data.list(head)
    entries, predictions, tables = iter(entries), iter(predictions), []
    for kind, context, owner, entry_count, count in heads:
        need(kind <= 1 and context < 2 + len(heads), "a column's table")
        codes = []
        while len(codes) < count:
            item = next(predictions, b"")
            fit = min(CODES_OF_ITEM, count - len(codes)) * CODE
            need(len(item) == fit, "an item of predictions")
            codes += [int.from_bytes(item[at : at + CODE], "little") for at in range(0, fit, CODE)]
        own = list(itertools.islice(entries, entry_count))
        need(len(own) == entry_count and all(len(entry) <= MOST_ENTRY for entry in own), "entries")
        tables.append(Table(kind == 1, context, own, codes))
    need(next(entries, None) is None and next(predictions, None) is None, "items of no column")
    for table, (_, _, owner, _, _) in zip(tables, heads):
        if owner:
            need(owner <= len(heads) and heads[owner - 1][2] == 0, "entries of a column without its own")
            table.entries = tables[owner - 1].entries
    return tables


def need_contexts(tables, senders):
    """No table has more predictions than its context has codes."""
    for table in tables:
        most = 0
        if table.context == 1:
            most = senders + 1
        elif table.context > 1:
            most = len(tables[table.context - 2].entries) + 2
        need(len(table.predictions) <= most, "more predictions than codes")


def read_set(data):
    """The custodians of a set, and the age of each."""
    custodians = data.rising()
    ages = running(data.z() for _ in custodians)
    need(ascend(custodians) and all(0 <= age < 1 << 64 for age in ages), "a custodian set")
    data.end()
    return dict(zip(custodians, ages))


def turned(sets):
    """For each custodian of some set the sets that it is in."""
    custodians = {}
    for number, ages in enumerate(sets):
        for custodian in ages:
            custodians.setdefault(custodian, []).append(number)
    return custodians


def read_template(data):
    """The pieces between holes, and for each hole its binding: a code, and a column or None."""
    skeleton = data.block()

    def binding():
        code = data.byte()
        need(code <= 15, f"binding {code}")
        return code, data.v() if 1 <= code <= 4 else None

    bindings = data.list(binding)
    holes = HOLE.findall(skeleton)
    need(len(holes) == len(bindings), "as many bindings as holes")
    for hole, (code, _) in zip(holes, bindings):
        need((hole == b"\1") == (code == 0), "an array in a hole for one value")
    return HOLE.split(skeleton), bindings


class Keys:
    """What the rows of a group are found by."""

    def __init__(self, data, rows):
        unit = data.v()
        need(unit in (1, 10_000), f"a unit of {unit} ticks")
        self.created = [unit * steps for steps in running(data.signed(rows))]
        steps = data.signed(rows)
        self.modified = [at + unit * step for at, step in zip(self.created, steps)]
        self.version = [at // 10_000 + more for at, more in zip(self.modified, data.signed(rows))]
        ids = [at // 10_000 + more for at, more in zip(self.created, data.signed(rows))]
        self.ids = [str(number) for number in ids]
        for row, text in named(data, rows):
            self.ids[row] = text
        self.roots = self.read_roots(data, rows)
        self.senders = data.numbers(rows)
        self.records = [code // 4 for code in data.numbers(rows)]
        self.sequences = running(data.signed(rows))
        self.sets = data.numbers(rows)
        self.siblings, self.beside = data.rising(), data.rising()
        self.tags = data.block()
        data.end()
        need(len(self.tags) == 2 * rows, "tags")

    def read_roots(self, data, rows):
        codes = data.numbers(rows)
        texts = dict(named(data, rows))
        need(set(texts) == {row for row, code in enumerate(codes) if code == 1}, "roots")
        roots = []
        for row, code in enumerate(codes):
            behind = code - 2
            number = self.created[row] // 10_000 - ((behind >> 1) ^ -(behind & 1))
            roots.append(None if code == 0 else texts[row] if code == 1 else str(number))
        return roots


def named(data, rows):
    """Rows, by their differences, and a text for each."""
    row, texts = 0, []
    for _ in range(data.v()):
        row += data.v()
        need(row < rows, "a row that is not there")
        texts.append((row, data.text()))
    return texts


class Columns:
    """The values of a group's templates, taken in reading order."""

    def __init__(self, data, rows):
        self.templates = data.numbers(rows)
        self.arrays = iter(data.numbers(data.v()))
        self.columns, column = {}, -1
        while ahead := data.v():
            column += ahead
            self.columns[column] = iter(data.numbers(data.v()))
        data.end()

    def next(self, column):
        if column not in self.columns:
            return 0
        number = next(self.columns[column], None)
        need(number is not None, f"column {column} is too short")
        return number

    def next_array(self):
        number = next(self.arrays, None)
        need(number is not None, "too few numbers of arrays")
        return number

    def end(self):
        for numbers in [self.arrays, *self.columns.values()]:
            need(next(numbers, None) is None, "values that no row takes")


def read_dictionary(data, archive, number):
    """The dictionary in a file: FORMAT.md, section "Dictionary"."""
    head = Input(data[:32])
    need(head.take(8) == b"CVDICT01", "magic")
    need(head.take(16) == archive and head.u64() == number, "another archive or number")
    at, pieces = 32, []
    while at < len(data):
        frame = Frame(data, at)
        pieces.append(frame.of(1).data)
        at = frame.end
    need(len(pieces) == 9 and len({len(piece) for piece in pieces}) == 1, "nine pieces alike")
    total = 0
    for piece in pieces:
        total ^= int.from_bytes(piece, "big")
    need(total == 0, "the ninth piece")
    content = Input(b"".join(pieces[:8]))
    raw = content.v()
    dictionary = unzstd(content.block(), raw)
    need(content.left() < 8 and not any(content.take(content.left())), "zeros at the end")
    return dictionary


def read_facts(data):
    base, unit, name, facts = data.z(), data.v(), b"", []
    for _ in range(data.v()):
        shared = data.v()
        need(shared <= len(name), "the name of a fact")
        name = name[:shared] + data.block()
        first = base + data.v() * unit
        last, times = first + data.v() * unit, data.v()
        said = Input(name)
        person, code, text = said.text(), said.byte(), as_text(said.take(said.left()))
        need(unit in (1, 10_000) and code < 9 and first <= last, "a fact")
        need(code in WITH_TEXT or not text, "the text of a fact")
        time = b""
        if code in STEPS:
            need(first == last, "the time of a step")
            time = (first + (1 << 63)).to_bytes(8, "big")
        end = len(name) - len(text.encode())
        key = name[:end] + time + name[end:]
        need(not facts or facts[-1][0] < key, "the order of facts")
        facts.append((key, person, code, text, first, last, times))
    return facts


STEPS, WITH_TEXT = (6, 7, 8), (3, 4, 5, 8)



class Segment:
    def __init__(self, data, archive, number, dictionaries):
        head = Input(data[:32])
        need(head.take(8) == b"CVSEGM01", "magic")
        need(head.take(16) == archive and head.u64() == number, "another archive or number")
        self.data = data
        self.footer, behind = find_footer(data)
        need(self.footer.number == number, "the footer is of another number")
        named = self.footer.dictionary
        need(named == 0 or named in dictionaries, "a dictionary that the manifest does not name")
        self.dictionary = dictionaries[named] if named else b""

        self.groups_end = behind - sum(self.footer.sections)
        for directory in self.footer.lists.values():
            self.groups_end -= sum(page.size for page in directory.pages)
        lists, at = self.read_lists(self.groups_end)
        self.read_sections(at, lists)

    def read_lists(self, at):
        lists = {}
        for name, directory in self.footer.lists.items():
            lists[name], rows, at = directory.read(self.data, at)
            if name == "conversations":
                self.first_rows = rows
        self.conversations = [as_text(name) for name in lists["conversations"]]
        self.senders = [as_text(name) for name in lists["senders"]]
        need(self.first_rows[:1] == [0] and ascend(self.first_rows), "first rows of conversations")
        need(self.first_rows[-1] < self.footer.rows, "a conversation without a row")
        self.sets = [read_set(Input(item)) for item in lists["sets"]]
        custodians = {}
        for item in lists["custodians"]:
            data = Input(item)
            custodian = int.from_bytes(data.take(NUMBER), "big")
            custodians[custodian] = data.rising()
            data.end()
        need(custodians == turned(self.sets), "custodians are not the sets the other way round")
        self.read_facts(lists["facts"])
        return lists, at

    def read_facts(self, items):
        """The facts of each long conversation, by its first row."""
        behind = dict(zip(self.first_rows, self.first_rows[1:] + [self.footer.rows]))
        self.facts = {}
        for item in items:
            data = Input(item)
            row = int.from_bytes(data.take(NUMBER), "big")
            need(behind.get(row, 0) - row >= LONG_ROWS, "facts of no long conversation")
            self.facts[row] = read_facts(data)
            data.end()

    def read_sections(self, at, lists):
        sections = {}
        for (name, kind), size in zip(SECTIONS.items(), self.footer.sections):
            frame = Frame(self.data, at)
            need(frame.end == at + size, f"section {name}")
            sections[name] = frame.of(kind)
            at = frame.end
        data = sections["templates"]
        self.templates = data.list(lambda: read_template(data))
        self.tables = read_tables(sections["tables"], lists["entries"], lists["predictions"])
        need_contexts(self.tables, len(self.senders))
        for data in sections.values():
            data.end()

    def rows(self):
        """Every row of the segment, in order."""
        at, first, rows = 32, 0, []
        for group in self.footer.groups:
            at, some = self.read_group(group, at, first)
            rows += some
            first += group.rows
        need(at == self.groups_end, "the groups do not fill their place")
        return rows

    def read_group(self, group, at, first):
        frame = Frame(self.data, at)
        need(frame.end == at + group.keys_size, "keys")
        keys = Keys(frame.of(KEYS), group.rows)
        group.check(keys)
        frame = Frame(self.data, frame.end)
        columns = Columns(frame.of(COLUMNS), group.rows)
        at, row, rows = frame.end, 0, []
        need(frame.end - group.columns_size == at - group.columns_size, "columns")
        for count, size in group.chunks:
            frame = Frame(self.data, at, self.dictionary)
            need(frame.end == at + size, "a chunk of text")
            texts = iter(frame.of(TEXT).data.split(b"\0")[:-1])
            for _ in range(count):
                rows.append(Rendering(self, keys, columns, texts, first, row).row())
                row += 1
            need(next(texts, None) is None, "texts that no row takes")
            at = frame.end
        columns.end()
        return at, rows

    def conversation(self, row):
        """The last one that begins at the row or before it."""
        behind = bisect.bisect_right(self.first_rows, row)
        need(behind, f"row {row} is in no conversation")
        return self.conversations[behind - 1]


class Rendering:
    """One row as its document."""

    def __init__(self, segment, keys, columns, texts, first, row):
        self.segment, self.keys, self.columns, self.texts, self.at = segment, keys, columns, texts, row
        self.conversation = segment.conversation(first + row)
        self.last = {}

    def row(self):
        keys, at = self.keys, self.at
        document = self.document(self.columns.templates[at], 0)
        sequence, ages = keys.sequences[at], self.segment.sets[keys.sets[at]]
        sightings = {custodian: sequence + age for custodian, age in ages.items()}
        return Row(keys.records[at], sequence, document, sightings)

    def document(self, template, depth):
        need(depth <= MOST_LEVELS and template < len(self.segment.templates), "templates")
        pieces, bindings = self.segment.templates[template]
        out = [pieces[0]]
        for (code, column), piece in zip(bindings, pieces[1:]):
            out.append(self.array(depth) if code == 0 else self.value(code, column))
            out.append(piece)
        return b"".join(out)

    def array(self, depth):
        count = self.columns.next_array()
        return b"".join(
            self.document(self.columns.next_array(), depth + 1) for _ in range(count)
        )

    def value(self, code, column):
        keys, at = self.keys, self.at
        if code == 1:
            return self.text(column)
        if code <= 4:
            number = self.columns.next(column)
            ticks = keys.modified[at] + ((number >> 1) ^ -(number & 1))
            return time_text(ticks, DIGITS[code - 2]).encode()
        if code <= 7:
            return time_text(keys.created[at], DIGITS[code - 5]).encode()
        if code <= 10:
            return time_text(keys.modified[at], DIGITS[code - 8]).encode()
        if code == 15:
            need(keys.senders[at] > 0, "a sender that is not there")
            return self.segment.senders[keys.senders[at] - 1].encode()
        text = {11: keys.ids[at], 12: str(keys.version[at]), 13: self.conversation, 14: keys.roots[at]}
        return text[code].encode()

    def text(self, column):
        table = self.segment.tables[column]
        number = self.columns.next(column)
        if number == 1:
            context = self.context(table.context)
            need(context < len(table.predictions), "a prediction that is not there")
            number = table.predictions[context]
            need(number >= 2, "nothing is predicted")
        self.last[column] = number
        if number == 0:
            text = next(self.texts, None)
            need(text is not None, "too few texts in a chunk")
            return text
        need(number - 2 < len(table.entries), "an entry that is not there")
        return table.entries[number - 2]

    def context(self, context):
        if context == 0:
            return 0
        if context == 1:
            return self.keys.senders[self.at]
        return self.last.get(context - 2, 0)


DIGITS = (None, 3, 7)
