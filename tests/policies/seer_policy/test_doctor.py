from __future__ import annotations

import subprocess
import sys

from seer_bench.doctor.examine import examine_benchmark
from seer_bench_nn.assets import ROOT_VARIABLE


def test_missing_encoders_name_the_command(monkeypatch, tmp_path):
    monkeypatch.setenv(ROOT_VARIABLE, str(tmp_path / "nothing"))
    findings = {finding.subject: finding for finding in examine_benchmark("seer")}
    assert list(findings) == ["torch", "safetensors", "device", "mae", "clip"]
    for subject in ("torch", "safetensors", "device"):
        assert findings[subject].level == "ok", findings[subject]
    for encoder in ("mae", "clip"):
        assert findings[encoder].level == "problem"
        assert findings[encoder].optional
        assert "not installed" in findings[encoder].text
        assert findings[encoder].command == "seer-bench assets seer --from FILE"


def test_without_pytorch_the_checks_still_say_what_to_install():
    code = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "from importlib.metadata import PackageNotFoundError\n"
        "from seer_policy import doctor\n"
        "def version(name):\n"
        "    raise PackageNotFoundError(name)\n"
        "doctor.version = version\n"
        "print(list(doctor.examine()))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "level='problem', text='not installed', command=\"pip install 'seer-bench[policies]'\"" in done.stdout
    assert done.stdout.count("Finding(") == 2
