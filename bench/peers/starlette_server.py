"""Bare Starlette on uvicorn with uvloop and httptools, orjson for JSON: python starlette_server.py MODEL PORT"""

import sys

import orjson
import uvicorn
from onnx_model import OnnxModel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

model = OnnxModel(sys.argv[1])


async def infer(request: Request) -> Response:
    answer = model.infer(orjson.loads(await request.body()))
    return Response(orjson.dumps(answer), media_type="application/json")


async def health(_: Request) -> Response:
    return PlainTextResponse("ok")


app = Starlette(routes=[Route("/infer", infer, methods=["POST"]), Route("/health", health)])

if __name__ == "__main__":
    uvicorn.run(
        app, host="127.0.0.1", port=int(sys.argv[2]), loop="uvloop", http="httptools", access_log=False, log_level="warning"
    )
