"""File names that the released code of each method writes, for `--naming METHOD`."""

from __future__ import annotations

from dataclasses import dataclass

from sdd_bench.errors import UserError
from sdd_bench.evaluation.naming.rules import Rule
from sdd_bench.io.models import unknown_key


@dataclass(frozen=True)
class Naming:
    """File names that a method's released code writes.

    Attributes:
        title: Usual name of the method.
        writes: Description of the files.
        rule: Matching rule that is tried first.
        pattern: Pattern of the file names; `{name}` is the name of the blur or sharp image, or the number.
        crop: `--pred-crop` for outputs of images whose sizes are no multiples of `multiple`; empty if the code undoes
            its padding or crop.
        multiple: Number of which the network's input sizes are multiples, in pixels.
        code: Repository of the code.
    """

    title: str
    writes: str
    rule: Rule = "names"
    pattern: str = "{name}"
    crop: str = ""
    multiple: int = 1
    code: str = ""


METHODS: dict[str, Naming] = {
    "jnb": Naming("JNB", "01.png, 02.png, ...", "order"),
    "ebdb": Naming("EBDB", "01.png, 02.png, ...", "order", code="alikaraali/edge-based-dfe-tip2018"),
    "dmenet": Naming("DMENet", "output/DPDD/01.png, ...", "order", code="codeslake/DMENet"),
    "dpdnet": Naming("DPDNet", "0_i.png, 0_p.png, 0_g.png, ...", "order", "{name}_p"),
    "ifan": Naming("IFAN", "output/png/00.png, ...", "order", "{name}", "top-left", 8, "codeslake/IFAN"),
    "drbnet": Naming("DRBNet", "output/<blur image>", "names", "{name}", "top-left", 16, "lingyanruan/DRBNet"),
    "nrknet": Naming("NRKNet", "0000.png, 0001.png, ...", "order", "{name}", "top-left", 16, "csZcWu/NRKNet"),
    "iniknet": Naming("INIKNet", "0000.png, 0001.png, ...", "order", "{name}", "top-left", 16, "xinyao240/INIKNet"),
    "mprnet": Naming("MPRNet", "<blur image>.png", code="swz30/MPRNet"),
    "restormer": Naming("Restormer", "<sharp image>", "sharp names", code="swz30/Restormer"),
    "loformer": Naming("LoFormer", "<blur image>.png", code="INVOKERer/LoFormer"),
    "dmphn": Naming("DMPHN", "<blur image>", "names", "{name}", "top-left", 8, "HongguangZhang/DMPHN-cvpr19-master"),
    "did-anet": Naming(
        "DID-ANet", "<blur image>deblur.png, <blur image>defest.png", "names", "{name}deblur",
        code="xytmhy/DID-ANet-Defocus-Deblurring",
    ),
    "nafnet": Naming("NAFNet", "visualization/DATASET/<blur image>{,_gt}.png", code="megvii-research/NAFNet"),
    "lakdnet": Naming("LaKDNet", "output/<blur image>", code="lingyanruan/LaKDNet"),
    "sfnet": Naming("SFNet, FSNet, ConvIR", "<blur image>", code="c-yn/SFNet"),
    "uformer": Naming("Uformer", "<blur image>.PNG", code="ZhendongWang6/Uformer"),
    "basicsr": Naming(
        "Swintormer, BasicSR", "visualization/DATASET/<blur image>_<option file>.png", code="bnm6900030/swintormer"
    ),
    "defocusgan": Naming(
        "DefocusGAN", "<sharp image>_recover.png", "sharp names", "{name}_recover", code="qylen/DefocusGAN"
    ),
    "jdrl": Naming(
        "JDRL, release of 2023", "0.png, 0_wgt.png, 0_gt.png, 0_output.png, ... in the order of the disk", "content",
        "{name}_output", "top-left", 16, "liyucs/JDRL",
    ),
    "jdrl-mprnet": Naming(
        "JDRL, release of 2023, MPRNet", "as jdrl, cropped around the centre", "content", "{name}_output", "centre", 8,
        "liyucs/JDRL",
    ),
    "cldefocus": Naming("CLDefocus", "img/MODEL/TRAIN/TEST/<sharp image>", "sharp names", code="lykelee/CLDefocus"),
}  # fmt: skip
"""Naming of each method's code, by the method's name on the command line."""

ALIASES = {"swintormer": "basicsr", "fsnet": "sfnet", "convir": "sfnet", "didanet": "did-anet"}


def naming_of(method: str) -> Naming:
    """Return the naming of a method's code; the name may be in any case.

    Raises:
        UserError: The method is not in the table; the nearest known name is suggested.

    >>> naming_of("Restormer").rule
    'sharp names'
    """
    name = method.lower().replace("_", "-")
    name = ALIASES.get(name, name)
    if name not in METHODS:
        fault = unknown_key(method, METHODS).replace("unknown key", "unknown method").replace(", expected one of", ";")
        raise UserError(f"--naming: {fault.partition(';')[0]}; --naming list shows all of them")
    return METHODS[name]


def naming_table() -> str:
    """Return the table as lines for a terminal: method, files that its code writes, and matching by --naming."""
    rows = [("METHOD", "writes", "matched by"), *((name, own.writes, _words(own)) for name, own in METHODS.items())]
    widths = [max(len(row[place]) for row in rows) for place in (0, 1)]
    return "\n".join(f"{a:{widths[0]}}  {b:{widths[1]}}  {c}" for a, b, c in rows)


def _words(own: Naming) -> str:
    words = {"names": "blur image", "sharp names": "sharp image", "order": "natural order", "content": "content"}
    found = words[own.rule] + ("" if own.pattern == "{name}" else f", --pred-pattern {own.pattern!r}")
    return found + (f"; sizes: --pred-crop {own.crop} (multiples of {own.multiple})" if own.crop else "")
