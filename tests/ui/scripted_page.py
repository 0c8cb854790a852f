"""The pages over the scripted installation, for the browser test: `streamlit run` starts this file."""

import importlib.util
import runpy
import sys
from pathlib import Path

HERE = Path(__file__).parent


def _scripted():  # type: ignore[no-untyped-def]
    name = "kenpin_tests_scripted"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, HERE / "scripted.py")
        assert spec and spec.loader
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
    return sys.modules[name]


_scripted().install()
runpy.run_path(str(HERE.parents[1] / "ui" / "app.py"), run_name="__main__")
