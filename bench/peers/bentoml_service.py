"""BentoML with one worker and one thread, without metrics, access log, traces or batching; python serves it on PORT:

python bentoml_service.py MODEL PORT
"""

import os
import sys

import bentoml

if __name__ != "__main__":
    from onnx_model import OnnxModel

    @bentoml.service(
        workers=1,
        threads=1,
        metrics={"enabled": False},
        logging={"access": {"enabled": False}},
        monitoring={"enabled": False},
        traffic={"timeout": 600},
    )
    class Bench:
        def __init__(self):
            self.model = OnnxModel(os.environ["VEDETTE_BENCH_MODEL"])

        # Async: a plain function would hop to a thread and back for every request.
        @bentoml.api(route="/infer")
        async def infer(self, inputs: list) -> dict:
            return self.model.infer({"inputs": inputs})

else:
    environment = {**os.environ, "VEDETTE_BENCH_MODEL": sys.argv[1], "BENTOML_DO_NOT_TRACK": "True"}
    here = os.path.dirname(os.path.abspath(__file__))
    serve = ["-m", "bentoml", "serve", "bentoml_service:Bench", "--working-dir", here]
    where = ["--host", "127.0.0.1", "--port", sys.argv[2]]
    os.execve(sys.executable, [sys.executable, *serve, *where], environment)
