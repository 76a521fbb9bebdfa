/* libzstd compresses its input with the library: libzstd LEVEL st|mt|one STATED CHECKSUM LATE. See make-vectors. */
#define ZSTD_STATIC_LINKING_ONLY
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "zstd.h"

static size_t check(size_t code) {
    if (ZSTD_isError(code)) {
        fprintf(stderr, "%s\n", ZSTD_getErrorName(code));
        exit(1);
    }
    return code;
}

int main(int argc, char **argv) {
    size_t cap = 64 << 20, n;
    char *plain = malloc(cap), *out = malloc(ZSTD_compressBound(cap)), *in = malloc(128 << 10);
    ZSTD_CCtx *c = ZSTD_createCCtx();
    int late = atoi(argv[5]);
    if (argc != 6) return 2;
    n = fread(plain, 1, cap, stdin);
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_compressionLevel, atoi(argv[1])));
    check(ZSTD_CCtx_setParameter(c, ZSTD_c_checksumFlag, atoi(argv[4])));
    if (!strcmp(argv[2], "one")) {
        fwrite(out, 1, check(ZSTD_compress2(c, out, ZSTD_compressBound(cap), plain, n)), stdout);
        return 0;
    }
    if (!strcmp(argv[2], "mt")) check(ZSTD_CCtx_setParameter(c, ZSTD_c_nbWorkers, 1));
    if (atoi(argv[3])) check(ZSTD_CCtx_setPledgedSrcSize(c, n));
    for (size_t at = 0;;) {
        size_t m = n - at < 128 << 10 ? n - at : 128 << 10;
        int end = late ? m == 0 : at + m == n;
        ZSTD_inBuffer from = {memcpy(in, plain + at, m), m, 0};
        for (size_t left = 1; end ? left > 0 : from.pos < from.size;) {
            ZSTD_outBuffer to = {out, ZSTD_CStreamOutSize(), 0};
            left = check(ZSTD_compressStream2(c, &to, &from, end ? ZSTD_e_end : ZSTD_e_continue));
            fwrite(out, 1, to.pos, stdout);
        }
        at += m;
        if (end) return 0;
    }
}
