"""Draws lines of handwriting of invented writers, for those who have no other data. Does not use TensorFlow.

The hand of a writer stays the same on all forms: the shape of each letter (from one of several stroke fonts), how the
letter is bent, the slant, the width, the spacing, the pressure and the tremor. Each form has its own pen and size of
letters. Each line has a baseline that drifts. No two letters are exactly alike. So the task is neither hopeless nor
trivial.

A hand writes in Latin or Greek letters (SCRIPTS). In both scripts a hand has the same slant, width, spacing, pressure
and so on, but it bends the letters of each script differently. So the two scripts share the hand, but no letter.

With `fonts_dir` and `text_file` a writer is a font and a style instead, in any script that the fonts have.

Everything is a pure function of the seed and of the numbers of the writer, form and line. The same arguments give the
same bytes, in any order of calls. Writer 7 writes the same whether there are ten writers or a thousand.
"""

import dataclasses
import functools
import hashlib
import io
import json
import os
import pathlib
import string

import numpy as np
from HersheyFonts import HersheyFonts
from PIL import Image, ImageDraw, ImageFont

from iam_writer.common import errors
from iam_writer.handwriting import splits
from iam_writer.handwriting.line import Census, Line

VERSION = 1
"""Version of the drawings. Increase it when the same seed gives other bytes."""

STROKE_FONTS = ("scripts", "futural", "rowmans", "scriptc", "timesi")
"""The fonts of Hershey whose strokes look like handwriting."""

ALPHABET = string.ascii_letters + string.digits + ".,'-?"

WORDS = (
    "the of and to in that is was he for it with as his on be at by had not are but from or have an they which one "
    "you were her all she there would their we him been has when who will more no if out so said what up its about "
    "into than them can only other new some could time these two may then do first any my now such like our over man "
    "me even most made after also did many before must through back years where much your way well down should "
    "because each just those people how too little state good very make world still own see men work long get here "
    "between both life being under never day same another know while last might us great old year off come since "
    "against go came right used take three states himself few house use during without again place around however "
    "home small found thought went say part once general high upon school every does got united left number course "
    "war until always away something fact though water less public put think almost hand enough far took head yet "
    "government system better set told nothing night end why called eyes find going look asked later knew point next "
    "Monday London Paris England Peter Anna Queen Quite Jack Zoe Xavier Victor York Kate Ulrich Oxford quiz jazz fox"
).split()

GREEK_WORDS = (
    (
        "και το να του η της με που την από για είναι ένα στην στο τα θα δεν τον σε οι μια τους αυτό αλλά τις ότι ήταν των "
        "όμως πολύ μου σας εδώ αν όταν πως τι όλα μας κάτι έχει ή πριν χρόνια μέρα σπίτι φίλος θάλασσα ψωμί νερό κόσμος "
        "βιβλίο γράμμα λόγος ξένος ψυχή ώρα νύχτα φως ζωή δρόμος καλός μεγάλος μικρός άλλος πρώτος νέος παιδί μητέρα "
        "πατέρας γυναίκα άνδρας χέρι μάτι καρδιά πόλη χώρα ήλιος ουρανός βουνό δέντρο λουλούδι ξύλο ζεστός κρύο γλώσσα "
        "αρχή τέλος έργο σχολείο δάσκαλος γράφω διαβάζω βλέπω ξέρω θέλω έρχομαι πηγαίνω λέω ακούω αγαπώ ζητώ παίζω δίνω "
        "παίρνω μένω σήμερα αύριο χθες πάντα ποτέ τώρα μετά μέσα έξω πάνω κάτω κοντά μακριά μαζί μόνο ίσως γιατί επειδή "
        "Αθήνα Κρήτη Θεός Ελλάδα Γιώργος Ξένια Ψαρά Ζωή Φωτεινή Χίος Ρόδος Σάμος Λάμπρος Μαρία Νίκος Ωκεανός Δελφοί Πέτρος"
    )
    .translate(str.maketrans("άέήίόύώ", "αεηιουω"))
    .split()
)  # The fonts have no accents.


@dataclasses.dataclass(frozen=True)
class Script:
    """What a hand can write in.

    Attributes:
      keys: letter → the ASCII character that stands for it in the script's fonts.
      fonts: names of Hershey fonts. A hand that uses font k of one script also uses font k of another script, which is
        as simple or as ornate.
      words: the words to write.
      marks: what may follow a word; the most likely comes first.
      numbers: the share of numbers among the words.
    """

    keys: dict[str, str]
    fonts: tuple[str, ...]
    words: list[str]
    marks: tuple[str, ...]
    numbers: float


SCRIPTS = {
    "latin": Script({c: c for c in ALPHABET}, STROKE_FONTS, WORDS, ("", ".", ",", "?"), 0.03),
    # Greek has no numbers, so it shares only full stops and commas with Latin. The fonts lack ς, the s at a word's end.
    "greek": Script(
        dict(
            zip(
                "αβγδεζηθικλμνξοπρστυφχψως" + "ΑΒΓΔΕΖΗΘΙΚΛΜΝΞΟΠΡΣΤΥΦΧΨΩ" + ".,;",
                string.ascii_lowercase[:24] + "r" + string.ascii_uppercase[:24] + ".,;",
                strict=True,
            )
        ),
        ("greeks", "greeks", "greeks", "greekc", "greekc"),
        GREEK_WORDS,
        ("", ".", ",", ";"),
        0.0,
    ),
}

LINE_CHARACTERS = (22, 34)
"""The least and the most characters of a line. With `text_file` only the most matters."""

# Each use of random numbers has its own number here, so that no two uses share a stream.
_HAND, _LETTER, _FORM, _LINE, _STYLE, _SESSION = range(6)


@dataclasses.dataclass(frozen=True)
class Hand:
    """What stays the same in all lines of a writer. Lengths are in units of Hershey's fonts; capitals are 21 high.

    Attributes:
      letters: character of the script → (strokes, float arrays `[points, 2]`; advance to the next letter).
      slant: columns to the right per row upwards.
      width: factor for the width of letters; 1 is the width of the font.
      spacing: space between letters.
      word_spacing: space between words.
      thickness: width of the pen's line.
      pressure: how much the thickness varies along a stroke, as a share of the thickness.
      tremor: how far points are away from the ideal stroke.
      drift: how far the baseline moves up and down.
      variation: how much two drawings of the same letter differ.
    """

    letters: dict[str, tuple[list[np.ndarray], float]]
    slant: float
    width: float
    spacing: float
    word_spacing: float
    thickness: float
    pressure: float
    tremor: float
    drift: float
    variation: float


@dataclasses.dataclass(frozen=True)
class Style:
    """What stays the same in the lines of a writer who has a font.

    Attributes:
      font: path of the font file.
      slant: columns to the right per row upwards.
      weight: pixels by which strokes are thicker.
      width: factor for the width of letters; 1 is the width of the font.
      distortion: pixels by which the points of a line are moved.
      habit: float `[2, 4, 16]`, the part of the distortion that all lines share.
    """

    font: str
    slant: float
    weight: int
    width: float
    distortion: float
    habit: np.ndarray


class SyntheticHandwriting:
    """Lines of invented writers (a `handwriting.Handwriting`).

    Args:
      num_writers: number of writers.
      forms_per_writer: pages of each writer.
      lines_per_form: lines of a page.
      seed: another seed gives other writers.
      script: the script of the hands, a key of SCRIPTS.
      test_script: the script of the forms that `splits.split_by_form` holds out for test. None: the same as `script`.
      fonts_dir: a folder of *.ttf and *.otf files. Writer k writes with font k modulo the number of fonts.
      text_file: the sentences to write with these fonts: a UTF-8 file, one sentence a line.
      sessions: how much a writer's hand differs from form to form, as on different days with different pens. With 0
        only the pen and the size of letters differ. With 1 the forms differ about as much as real pages do.

    Attributes:
      lines: all lines, sorted by id.
      expected: the census of the lines.
      fingerprint: SHA-256 over everything that the bytes depend on, in hexadecimal.

    Raises:
      TooFewWritersError: there are fewer than two writers.
      MissingDataError: the fonts or the text cannot be found, or a font lacks a character of the text.
      ValueError: a number is out of range, or both fonts and another script than Latin are given.
    """

    def __init__(
        self,
        num_writers: int = 50,
        forms_per_writer: int = 6,
        lines_per_form: int = 6,
        seed: int = 0,
        script: str = "latin",
        test_script: str | None = None,
        fonts_dir: str | os.PathLike[str] | None = None,
        text_file: str | os.PathLike[str] | None = None,
        sessions: float = 0.0,
    ):
        if num_writers < 2:
            raise errors.TooFewWritersError(
                f"At least two writers are needed, but num_writers is {num_writers}."
            )
        if forms_per_writer < 1 or lines_per_form < 1 or seed < 0:
            raise ValueError(
                "forms_per_writer and lines_per_form must be 1 or more, and seed must be 0 or more."
            )
        if (fonts_dir is None) != (text_file is None):
            raise errors.MissingDataError("Only one of fonts_dir and text_file is given. Give both, or none.")
        scripts = (script, test_script or script)
        if fonts_dir is not None and scripts != ("latin", "latin"):
            raise ValueError(
                "script and test_script cannot be given with fonts_dir, since text_file says what is written. Leave them out."
            )
        self._seed = seed
        self._sessions = sessions
        self._fonts, self._sentences = [], []
        digest = hashlib.sha256(
            json.dumps([VERSION, num_writers, forms_per_writer, lines_per_form, seed]).encode()
        )
        if fonts_dir is not None and text_file is not None:
            self._fonts, self._sentences = _fonts(fonts_dir), _sentences(text_file)
            for path in [*self._fonts, pathlib.Path(text_file)]:
                digest.update(hashlib.sha256(path.read_bytes()).digest())
            for font in self._fonts:
                _check_coverage(font, self._sentences)
        if scripts != ("latin", "latin"):
            digest.update(json.dumps(scripts).encode())
        if sessions:
            digest.update(json.dumps(["sessions", sessions]).encode())
        self.fingerprint = digest.hexdigest()

        digits = max(2, len(str(num_writers - 1)))
        self._place, lines = {}, []
        for writer in range(num_writers):
            for form in range(forms_per_writer):
                for number in range(lines_per_form):
                    form_id = f"w{writer:0{digits}}-f{form:02}"
                    id = f"{form_id}-{number:02}"
                    self._place[id] = (writer, form, number)
                    lines.append(Line(id, writer=f"w{writer:0{digits}}", form=form_id, row=id))
        self._script = dict.fromkeys(self._place, scripts[0])
        for line in splits.split_by_form(lines)[splits.TEST]:
            self._script[line.id] = scripts[1]
        lines = [dataclasses.replace(line, text=self._text(line.id)) for line in lines]
        self.lines = sorted(lines, key=lambda line: line.id)
        self.expected = Census.of(self.lines)
        self.ignored = ()
        self.warnings = ()

    def read(self, line: Line) -> bytes:
        """The content of an 8-bit gray PNG file of the line."""
        writer, form, number = self._place[line.id]
        form_random = np.random.default_rng([_FORM, self._seed, writer, form])
        random = np.random.default_rng([_LINE, self._seed, writer, form, number, 1])
        if self._fonts:
            font = str(self._fonts[writer % len(self._fonts)])
            style = _draw_style(font, self._seed, writer)
            picture = draw_with_font(style, line.text, form_random, random)
        else:
            hand = draw_hand(self._seed, writer, self._script[line.id])
            size = 1.0
            if self._sessions:
                session = np.random.default_rng([_SESSION, self._seed, writer, form])
                hand, size = in_a_session(hand, session, self._sessions)
            picture = draw(hand, line.text, form_random, random)
            if size != 1.0:
                width, height = (max(1, round(side * size)) for side in picture.size)
                picture = picture.resize((width, height), Image.Resampling.BICUBIC)
        file = io.BytesIO()
        picture.save(file, "PNG", compress_level=1)
        return file.getvalue()

    def _text(self, id: str) -> str:
        random = np.random.default_rng([_LINE, self._seed, *self._place[id], 0])
        if self._sentences:
            return _shortened(self._sentences[random.integers(len(self._sentences))])
        script, (least, most) = SCRIPTS[self._script[id]], LINE_CHARACTERS
        words: list[str] = []
        while len(" ".join(words)) < least:
            word = (
                str(random.integers(1, 2000))
                if random.random() < script.numbers
                else script.words[random.integers(len(script.words))]
            )
            words.append(word + str(random.choice(script.marks, p=[0.86, 0.06, 0.06, 0.02])))
        return " ".join(words)[:most].strip()


# A style is drawn once for each writer, not for each line.
@functools.cache
def _draw_style(font: str, seed: int, writer: int) -> Style:
    random = np.random.default_rng([_STYLE, seed, writer])
    return Style(
        font=font,
        slant=random.normal(0.05, 0.18),
        weight=int(random.integers(0, 3)),
        width=float(np.exp(random.normal(0, 0.1))),
        distortion=random.uniform(2, 5),
        habit=random.normal(0, 1, (2, 4, 16)),
    )


@functools.cache
def draw_hand(seed: int, writer: int, script: str = "latin") -> Hand:
    """Invents the hand of a writer. Apart from the letters, it is the same in all SCRIPTS."""
    random = np.random.default_rng([_HAND, seed, writer])
    fonts = SCRIPTS[script].fonts
    usual_font = random.integers(len(fonts))
    constancy = random.uniform(0.55, 0.9)
    letters = {}
    for character, key in SCRIPTS[script].keys.items():
        own = np.random.default_rng([_LETTER, seed, writer, ord(character)])
        font = usual_font if own.random() < constancy else own.integers(len(fonts))
        strokes, advance = _glyphs(fonts[font])[key]
        # The strokes of a letter are bent together, so that they stay connected. Each also bends a little on its own.
        bend = own.normal(0, 0.9, (6, 2))
        bent = [_bend(stroke, bend + own.normal(0, 0.25, (6, 2))) for stroke in strokes]
        letters[character] = (bent, advance * float(np.exp(own.normal(0, 0.06))))
    return Hand(
        letters=letters,
        slant=random.normal(0.2, 0.22),
        width=float(np.exp(random.normal(-0.12, 0.14))),
        spacing=random.normal(0, 1.3),
        word_spacing=random.uniform(9, 18),
        thickness=random.uniform(0.9, 1.6),
        pressure=random.uniform(0.05, 0.4),
        tremor=random.uniform(0, 0.35),
        drift=random.uniform(0.3, 2.5),
        variation=random.uniform(0.25, 0.6),
    )


def in_a_session(hand: Hand, session: np.random.Generator, strength: float) -> tuple[Hand, float]:
    """A hand as it writes on one day, with one pen, on one kind of paper.

    Args:
      hand: the usual hand.
      session: random numbers of this session.
      strength: how much sessions differ. With 1 they differ about as much as the real pages of a person do.

    Returns:
      The hand in this session, and the size of its letters as a factor of the usual size.
    """
    by = strength * session.normal(0, 1, 8)
    hand = dataclasses.replace(
        hand,
        slant=hand.slant + 0.06 * by[0],
        width=hand.width * float(np.exp(0.06 * by[1])),
        spacing=hand.spacing + 0.5 * by[2],
        thickness=hand.thickness * float(np.exp(0.2 * by[3])),
        pressure=float(np.clip(hand.pressure * np.exp(0.3 * by[4]), 0, 0.5)),
        tremor=hand.tremor * float(np.exp(0.4 * by[5])),
        variation=hand.variation * float(np.exp(0.2 * by[6])),
    )
    return hand, float(np.exp(0.08 * by[7]))


def draw(hand: Hand, text: str, form: np.random.Generator, line: np.random.Generator) -> Image.Image:
    """Draws a line in a hand.

    Args:
      hand: the hand of the writer.
      text: letters that the hand has, and blanks.
      form: random numbers that all lines of a form share, for the pen and the size of letters.
      line: random numbers of this line.

    Returns:
      A gray image, dark on white, 60 to 180 pixels high.
    """
    thickness = hand.thickness * np.exp(form.normal(0, 0.12))
    ink, size = form.uniform(10, 90), 3.1 * np.exp(form.normal(0, 0.06))
    slant = hand.slant + line.normal(0, 0.04)
    phase, period = line.uniform(0, 2 * np.pi), line.uniform(150, 400)
    climb = line.normal(0, 0.006)
    x, strokes = 0.0, []
    for character in text:
        if character == " ":
            x += hand.word_spacing * np.exp(line.normal(0, 0.15))
            continue
        letter, advance = hand.letters[character]
        change = line.normal(0, hand.variation, (6, 2))
        stretch = hand.width * np.exp(line.normal(0, 0.05))
        baseline = hand.drift * np.sin(phase + x / period * 2 * np.pi) + climb * x + line.normal(0, 0.4)
        for stroke in letter:
            points = _smooth(_bend(stroke, change))
            points = points + line.normal(0, hand.tremor, points.shape) * [0.6, 0.6]
            along = points[:, 0] * stretch - points[:, 1] * slant
            strokes.append(np.stack([x + along, points[:, 1] + baseline], axis=1))
        x += advance * stretch + hand.spacing + line.normal(0, 0.5)
    return _ink(strokes, size, thickness, hand.pressure, ink, line)


def draw_with_font(
    style: Style, text: str, form: np.random.Generator, line: np.random.Generator
) -> Image.Image:
    """Draws a line in a font and distorts it elastically. Arguments and result are like those of `draw`."""
    font = _font(style.font)
    left, top, right, bottom = font.getbbox(text, stroke_width=style.weight)
    margin = 60  # Enough for slant and distortion. The rest of it is cropped.
    picture = Image.new("L", (int(right - left) + 2 * margin, int(bottom - top) + 2 * margin), 0)
    ImageDraw.Draw(picture).text(
        (margin - left, margin - top), text, font=font, fill=255, stroke_width=style.weight
    )
    picture = picture.resize((round(picture.width * style.width), picture.height), Image.Resampling.BILINEAR)
    # Elastic distortion: a coarse field of random vectors is enlarged, which makes it smooth.
    fields = 0.6 * style.habit + 0.8 * line.normal(0, 1, style.habit.shape)
    dx, dy = (
        np.asarray(Image.fromarray(field.astype(np.float32)).resize(picture.size, Image.Resampling.BICUBIC))
        for field in fields * style.distortion
    )
    height, width = dx.shape
    rows, columns = np.mgrid[0:height, 0:width]
    slant = style.slant + line.normal(0, 0.03)
    from_x = columns + (rows - height / 2) * slant + dx
    coverage = _sample(np.asarray(picture, np.float32), from_x, rows + dy) / 255
    return _cropped(255 - coverage * (255 - form.uniform(10, 90)))


def _bend(points: np.ndarray, coefficients: np.ndarray) -> np.ndarray:
    """Moves points `[n, 2]` by a quadratic function of their place, with coefficients `[6, 2]`."""
    x, y = points[:, 0] / 10, points[:, 1] / 10
    terms: np.ndarray = np.stack([np.ones_like(x), x, y, x * y, x * x, y * y], axis=1)
    moved: np.ndarray = points + terms @ coefficients
    return moved


def _smooth(points: np.ndarray, steps: int = 3) -> np.ndarray:
    """A Catmull-Rom spline through points `[n, 2]`, with `steps` steps from each point to the next."""
    padded = np.concatenate([points[:1], points, points[-1:]])
    before, first, second, after = padded[:-3], padded[1:-2], padded[2:-1], padded[3:]
    t = (np.arange(steps) / steps)[:, None, None]
    curve = (
        2 * first
        + (second - before) * t
        + (2 * before - 5 * first + 4 * second - after) * t**2
        + (3 * first - before - 3 * second + after) * t**3
    ) / 2
    return np.concatenate([curve.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])


def _ink(
    strokes: list[np.ndarray],
    size: float,
    thickness: float,
    pressure: float,
    ink: float,
    line: np.random.Generator,
) -> Image.Image:
    """Draws strokes with a pen whose pressure varies. `size` is pixels per unit. It draws at twice the resolution."""
    margin, scale = 8, 2 * size
    points = np.concatenate(strokes)
    low, high = points.min(axis=0) - margin / size, points.max(axis=0) + margin / size
    picture = Image.new("L", tuple((np.ceil((high - low) * size) * 2).astype(int)), 255)
    pen = ImageDraw.Draw(picture)
    for stroke in strokes:
        starts = np.arange(0, len(stroke) - 1, 5)
        push = 1 + pressure * np.sin(line.uniform(0, 2 * np.pi) + starts / 5)
        widths = np.maximum(2, np.rint(thickness * push * scale)).astype(int).tolist()
        grays = np.clip(ink - 60 * (push - 1) + line.normal(0, 4, len(starts)), 0, 160).astype(int).tolist()
        pixels = ((stroke - low) * scale).ravel().tolist()
        for start, width, gray in zip(starts.tolist(), widths, grays, strict=True):
            part = pixels[2 * start : 2 * start + 12]
            pen.line(part, fill=gray, width=width)
            for x, y in (part[:2], part[-2:]):  # The tip of a pen is round.
                pen.ellipse((x - width / 2, y - width / 2, x + width / 2, y + width / 2), fill=gray)
    return picture.reduce(2)


def _sample(pixels: np.ndarray, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Bilinear samples of `[height, width]` at `x`, `y`; zero outside."""
    padded = np.pad(pixels, 1)
    x, y = (np.clip(v + 1, 0, n + 0.999) for v, n in ((x, pixels.shape[1]), (y, pixels.shape[0])))
    column, row = x.astype(int), y.astype(int)
    right, below = x - column, y - row
    top = padded[row, column] * (1 - right) + padded[row, column + 1] * right
    bottom = padded[row + 1, column] * (1 - right) + padded[row + 1, column + 1] * right
    mixed: np.ndarray = top * (1 - below) + bottom * below
    return mixed


def _cropped(pixels: np.ndarray, margin: int = 8) -> Image.Image:
    rows, columns = np.nonzero(pixels < 200)
    height, width = pixels.shape
    top, bottom = max(0, rows.min() - margin), min(height, rows.max() + margin + 1)
    left, right = max(0, columns.min() - margin), min(width, columns.max() + margin + 1)
    return Image.fromarray(pixels[top:bottom, left:right].round().astype(np.uint8))


@functools.cache
def _glyphs(font: str) -> dict[str, tuple[list[np.ndarray], float]]:
    """The glyphs of a Hershey font: key → (strokes from x = 0, with y downwards; advance to the next letter)."""
    fonts = HersheyFonts()
    fonts.load_default_font(font)
    glyphs = {}
    for key, glyph in fonts.all_glyphs.items():
        strokes = [
            np.array(stroke, float) - [glyph.left_offset, 0] for stroke in glyph.strokes if len(stroke) > 1
        ]
        glyphs[key] = (strokes, float(glyph.char_width))
    return glyphs


@functools.lru_cache(maxsize=256)
def _font(path: str) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, 72)


def _fonts(folder: str | os.PathLike[str]) -> list[pathlib.Path]:
    folder = pathlib.Path(folder)
    fonts = sorted(path for path in folder.glob("*") if path.suffix.lower() in (".ttf", ".otf"))
    if not fonts:
        raise errors.MissingDataError(f"{folder} has no *.ttf or *.otf file. Put the fonts into this folder.")
    return fonts


def _sentences(path: str | os.PathLike[str]) -> list[str]:
    try:
        text = pathlib.Path(path).read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise errors.MissingDataError(
            f"{path} cannot be read as UTF-8 text: {error}. Save the text as UTF-8."
        ) from error
    sentences = [" ".join(row.split()) for row in text.splitlines() if row.strip()]
    if not sentences:
        raise errors.MissingDataError(f"{path} is empty. Write sentences into it, one on each line.")
    return sentences


def _shortened(sentence: str) -> str:
    """As many whole words as fit on a line. Text without blanks is cut between any two characters."""
    most = LINE_CHARACTERS[1]
    if len(sentence) <= most:
        return sentence
    return sentence[: most + 1].rpartition(" ")[0] or sentence[:most]


def _check_coverage(path: pathlib.Path, sentences: list[str]) -> None:
    try:
        font = _font(str(path))
    except OSError as error:
        raise errors.MissingDataError(f"{path} cannot be read as a font: {error}. Remove it.") from error

    def shape(character: str) -> tuple[tuple[int, int], bytes]:
        mask = font.getmask(character)
        return mask.size, bytes(mask)

    none = shape("\U0010fffe")  # No font has this character, so the shape is the box for missing characters.
    missing = sorted(c for c in set("".join(sentences)) if c != " " and shape(c) == none)
    if missing:
        raise errors.MissingDataError(
            f"{path} lacks {len(missing)} characters of the text, such as {' '.join(missing[:5])}. Remove the font "
            "or change the text."
        )
