"""midalign: see, measure and use middle-layer representation alignment in language models.

```python
import midalign_demo as midalign

m = midalign.load()
m.compare("Wecke mich morgen um sieben Uhr", language="de")
m.retrieval({"en": ["Good morning", "It rains"], "de": ["Guten Morgen", "Es regnet"]})
m.embed(["Good morning", "Guten Morgen"])  # an array of 2 x 640
```
"""

from midalign_demo.errors import InputError
from midalign_demo.library import Midalign, load

__version__ = "0.1.0"
__all__ = ["InputError", "Midalign", "load"]
