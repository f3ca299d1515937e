# gr-m4sc on Debian 13 with GNU Radio 3.10.12: what script/bootstrap makes, in an image.
#
#   docker build -t gr-m4sc .
#   docker run --rm -v "$PWD/runs:/gr-m4sc/runs" gr-m4sc m4sc demo
#   docker run --rm --device /dev/bus/usb gr-m4sc m4sc doctor        (a USB radio)
FROM debian:13

ENV DEBIAN_FRONTEND=noninteractive \
    LANG=C.UTF-8 \
    PIP_NO_CACHE_DIR=1 \
    PATH=/gr-m4sc/.venv/bin:$PATH

WORKDIR /gr-m4sc

# The environment first: it changes less often than the code. pyproject.toml builds the package from these folders.
COPY pyproject.toml README.md CHANGELOG.md LICENSE CMakeLists.txt ./
COPY script ./script
COPY gr-m4sc ./gr-m4sc
COPY python_blocks ./python_blocks
COPY models ./models
COPY flowgraphs ./flowgraphs
COPY apps ./apps
RUN apt-get update \
    && apt-get install -y --no-install-recommends ca-certificates \
    && script/bootstrap \
    && apt-get clean \
    && rm -rf /var/lib/apt/lists/*

COPY . .

# Exit code 1 stops the build when a part is missing; memory is judged when it runs.
RUN script/bootstrap && m4sc --version && python -c "from gnuradio import m4sc"

CMD ["m4sc", "doctor"]
