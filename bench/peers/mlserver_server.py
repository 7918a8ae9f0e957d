"""MLServer in one process (no parallel workers), without metrics, debug or access log: python mlserver_server.py MODEL PORT"""

import asyncio
import sys

from mlserver import MLServer
from mlserver.settings import ModelParameters, ModelSettings, Settings
from mlserver_runtime import OnnxRuntime


async def main() -> None:
    port = int(sys.argv[2])
    settings = Settings(
        debug=False,
        host="127.0.0.1",
        http_port=port,
        # Its two others cannot be switched off as the metrics can.
        grpc_port=port + 1,
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
