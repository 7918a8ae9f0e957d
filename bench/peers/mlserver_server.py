"""MLServer in one process (no parallel workers), without metrics, debug or access log: python mlserver_server.py MODEL PORT"""

import asyncio
import sys

from mlserver import MLServer
from mlserver.settings import ModelParameters, ModelSettings, Settings
from mlserver_runtime import OnnxRuntime


async def main() -> None:
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=int(sys.argv[2]),
        # It cannot be switched off as the metrics can: any free one.
        grpc_port=0,
        metrics_endpoint=None,
        parallel_workers=0,
        load_models_at_startup=False,
        logging_settings={"version": 1, "disable_existing_loggers": True, "root": {"level": "ERROR"}},
    )
    server = MLServer(settings)
    model = ModelSettings(name="bench", implementation=OnnxRuntime, parameters=ModelParameters(uri=sys.argv[1]))
    await server.start([model])


if __name__ == "__main__":
    asyncio.run(main())
