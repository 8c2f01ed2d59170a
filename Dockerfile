# docs/container.md says how to build and run it.
FROM python:3.13-slim AS build
COPY . /src
RUN python -m venv --without-pip /autotag
RUN pip --python /autotag/bin/python install --no-cache-dir '/src[write]'

FROM python:3.13-slim
COPY --from=build /autotag /autotag
RUN mkdir -m 777 /library
ENV PATH=/autotag/bin:$PATH XDG_DATA_HOME=/library XDG_CACHE_HOME=/library
VOLUME /library
WORKDIR /music
ENTRYPOINT ["autotag"]
