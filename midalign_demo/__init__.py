"""midalign: see, measure and use middle-layer representation alignment in language models.

import midalign_demo as midalign

m = midalign.load()
m.compare("Wecke mich morgen um sieben Uhr", language="de")
"""

from midalign_demo.errors import InputError
from midalign_demo.library import Midalign, load

__version__ = "0.1.0"
__all__ = ["InputError", "Midalign", "load"]
