# One static binary and its licences, and nothing else: no shell, no package, no certificate store (the binary carries its roots).
# BINARY is built beforehand, for a static target, and LICENSES is written by release/licenses.sh, such as by `make image`.
FROM scratch
ARG BINARY
ARG LICENSES=target/licenses
COPY ${LICENSES} /licenses
COPY ${BINARY} /rollcall
USER 65532:65532
ENTRYPOINT ["/rollcall"]
