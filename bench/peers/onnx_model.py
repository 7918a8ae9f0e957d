"""What every Python peer runs: the model by onnxruntime on one thread, from a request's JSON to the answer's.

The body is an inference request of the Open Inference Protocol with one FP32 tensor; the answer has the first output.
"""

import numpy as np
import onnxruntime as ort


class OnnxModel:
    def __init__(self, path: str):
        options = ort.SessionOptions()
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        self.session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self.output = self.session.get_outputs()[0].name

    def run(self, tensor: dict) -> np.ndarray:
        values = np.asarray(tensor["data"], dtype=np.float32).reshape(tensor["shape"])
        return self.session.run([self.output], {tensor["name"]: values})[0]

    def infer(self, request: dict) -> dict:
        result = self.run(request["inputs"][0])
        output = {"name": self.output, "datatype": "FP32", "shape": list(result.shape), "data": result.ravel().tolist()}
        return {"outputs": [output]}
