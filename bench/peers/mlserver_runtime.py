"""The custom runtime by which MLServer runs an ONNX file; mlserver_server.py names it."""

import numpy as np
from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput
from onnx_model import OnnxModel


class OnnxRuntime(MLModel):
    async def load(self) -> bool:
        self.model = OnnxModel(self.settings.parameters.uri)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        tensor = payload.inputs[0]
        # What its numpy codec does for a flat FP32 tensor, without looking for the codec.
        values = np.array(tensor.data.root, dtype=np.float32).reshape(tensor.shape)
        result = self.model.session.run([self.model.output], {tensor.name: values})[0]
        output = ResponseOutput(
            name=self.model.output, datatype="FP32", shape=list(result.shape), data=result.ravel().tolist()
        )
        return InferenceResponse(model_name=self.name, outputs=[output])
