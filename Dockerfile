# One static binary and nothing else: no shell, no package, no certificate store (the binary carries its roots).
# BINARY is built beforehand, for a static target, such as by `make image`.
FROM scratch
ARG BINARY
COPY ${BINARY} /rollcall
USER 65532:65532
ENTRYPOINT ["/rollcall"]
