"""Table of known datasets: source, folder layout, number of pairs, and function that lists them."""

from __future__ import annotations

from sdd_bench import extensions
from sdd_bench.datasets.layouts.dpdd import list_dpdd
from sdd_bench.datasets.layouts.listing import Layout
from sdd_bench.datasets.layouts.released import list_ded, list_realdof, list_rtf
from sdd_bench.datasets.layouts.same_name import list_pairs, list_sdd
from sdd_bench.datasets.layouts.scenes import list_lfdof, list_realbokeh
from sdd_bench.datasets.layouts.unpaired import list_cuhk

LAYOUTS: dict[str, Layout] = {
    "sdd": Layout(
        list_sdd,
        "SDD",
        "https://github.com/ssscrytal/Reblurring-guided-JDRL and https://github.com/liyucs/JDRL",
        (
            "train_patches/{blur,gt}/NAME.png and test/{blur,gt}/NAME.png",
            "or {train,test}/{blur,gt}/NAME.png",
            "or blur/NAME.png and gt/NAME.png",
        ),
        {"train_patches": 4830, "train": 115, "test": 35, "": 150},
    ),
    "dpdd": Layout(
        list_dpdd,
        "DPDD",
        "https://github.com/Abdullah-Abuolaim/defocus-deblurring-dual-pixel",
        (
            "{train,val,test}_c/{source,target}/NAME.png",
            "file_names/{train,val,test}_{src,trg}.npy, where at hand",
            "or, as Restormer has it, test/[DPDD/]{inputC,target} and train/[DPDD/]{inputC,target}[_crops]",
        ),
        {"train": 350, "val": 74, "test": 76},
    ),
    "lfdof": Layout(
        list_lfdof,
        "LFDOF",
        "https://github.com/binorchen/AIFNET",
        ("{train,test}_data/input/IMG_x/IMG_x_ap*_kk.png and {train,test}_data/ground_truth/IMG_x.png",),
        {"train": 11261, "test": 725},
    ),
    "rtf": Layout(
        list_rtf,
        "RTF",
        "linked from https://github.com/binorchen/AIFNET, else from its authors",
        (
            "Ground_Truth_Data/image_NN.png and Ground_Truth_Data/sharp_NN.png",
            "or image/0/image_NN.png and GT/sharp_NN.png",
        ),
        {"test": 22},
    ),
    "ded": Layout(
        list_ded,
        "DED",
        "https://github.com/xytmhy/DID-ANet-Defocus-Deblurring",
        ("image/image_<n>.jpg, sharp/<prefix>_<n>.jpg and filtered/defocus_filterd_<n>.png",),
        {"": 1112},
    ),
    "realdof": Layout(
        list_realdof,
        "RealDOF",
        "https://github.com/codeslake/IFAN",
        ("source/NN.png and target/NN.png",),
        {"test": 50},
    ),
    "realbokeh": Layout(
        list_realbokeh,
        "RealBokeh",
        "https://huggingface.co/datasets/timseizinger/RealBokeh_3MP",
        ("{train,validation,test}/gt/ID/ID_fN.JPG and {train,validation,test}/in/ID_f22.JPG",),
    ),
    "cuhk": Layout(
        list_cuhk,
        "CUHK, which has no sharp images",
        "http://www.cse.cuhk.edu.hk/~leojia/projects/dblurdetect/dataset.html",
        ("image/out_of_focusNNNN.jpg and gt/out_of_focusNNNN.png (masks): only sdd-bench predict --images takes it",),
    ),
    **extensions.load_extensions(extensions.DATASETS, Layout),
    "pairs": Layout(
        list_pairs,
        "Any other pairs",
        "your own photographs",
        (
            "blur/NAME.png and gt/NAME.png",
            "or {train,val,test}/{blur,gt}/NAME.png",
            "or input/NAME.png and target/NAME.png, also in {train,val,test}/",
        ),
    ),
}
"""Layouts by dataset name, in the order in which they are tried on a folder."""


WHERE_DATA = "'sdd-bench doctor' lists where to get datasets and their folders; 'sdd-bench demo' needs none."
"""Advice for a user whose dataset was not found."""


def datasets_message() -> str:
    """Return the list of known datasets for a user without data, with source and folders of each."""
    lines = ["sdd-bench downloads no dataset; it reads these layouts as released:"]
    for name, layout in LAYOUTS.items():
        lines += [f"  {layout.title} (--dataset {name}): {layout.source}", *(f"      {line}" for line in layout.tree)]
    return "\n".join([*lines, "  'sdd-bench demo' needs none of them."])
