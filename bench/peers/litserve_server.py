"""LitServe with one worker, its fast queue, and no batching, logging or tracking: python litserve_server.py MODEL PORT"""

import sys

import litserve as ls
from onnx_model import OnnxModel


class Api(ls.LitAPI):
    def setup(self, device):
        self.model = OnnxModel(sys.argv[1])

    def decode_request(self, request):
        return request

    def predict(self, request):
        return self.model.infer(request)

    def encode_response(self, output):
        return output


if __name__ == "__main__":
    server = ls.LitServer(
        Api(api_path="/infer"), accelerator="cpu", devices=1, workers_per_device=1, fast_queue=True, timeout=False
    )
    server.run(
        host="127.0.0.1",
        port=int(sys.argv[2]),
        num_api_servers=1,
        generate_client_file=False,
        log_level="error",
        access_log=False,
    )
