/* Runs a target once for each input of a corpus: the main() of the targets in ordinary builds.
 * An argument is a folder (each file in it and below is an input), a file that ends in .b64 (each line is an
 * input in base64, perhaps with a remark behind it), or a file that is an input. */
#include "fuzz.h"
#include <ftw.h>
#include <sodium.h>

#pragma weak LLVMFuzzerInitialize

static unsigned count;

/* An exact copy, so that a sanitizer sees a byte read too much. */
static void run(const void *bytes, size_t size)
{
    uint8_t *copy = malloc(size ? size : 1);
    must(copy, "no memory");
    if (size)
        memcpy(copy, bytes, size);
    LLVMFuzzerTestOneInput(copy, size);
    free(copy);
    count++;
}

static void run_lines(const char *path, const char *text, size_t size)
{
    for (const char *end = text + size; text < end; text += strcspn(text, "\n") + 1) {
        size_t length = strcspn(text, " \n"), decoded = 0;
        unsigned char *bytes = malloc(length + 1);
        must(bytes, "no memory");
        must(sodium_base642bin(bytes, length + 1, text, length, NULL, &decoded, NULL,
                               sodium_base64_VARIANT_ORIGINAL) == 0,
             "%s: not base64: %.*s", path, (int)length, text);
        fprintf(stderr, "%s: ", path);
        fwrite(text, 1, strcspn(text, "\n"), stderr);
        fputc('\n', stderr);
        run(bytes, decoded);
        free(bytes);
    }
}

static void run_file(const char *path)
{
    FILE *file = fopen(path, "rb");
    must(file, "%s cannot be read", path);
    size_t size = 0, capacity = 1 << 16, got;
    char *text = malloc(capacity);
    while (text && (got = fread(text + size, 1, capacity - size - 1, file)) > 0)
        if ((size += got) + 1 == capacity)
            text = realloc(text, capacity *= 2);
    fclose(file);
    must(text, "no memory");
    text[size] = '\0';
    size_t name = strlen(path);
    if (name > 4 && strcmp(path + name - 4, ".b64") == 0) {
        run_lines(path, text, size);
    } else {
        fprintf(stderr, "%s\n", path);
        run(text, size);
    }
    free(text);
}

static int on_entry(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    if (type == FTW_F)
        run_file(path);
    return 0;
}

int main(int argc, char **argv)
{
    if (LLVMFuzzerInitialize)
        LLVMFuzzerInitialize(&argc, &argv);
    run("", 0);
    for (int i = 1; i < argc; i++)
        must(nftw(argv[i], on_entry, 16, FTW_PHYS) == 0, "%s cannot be read", argv[i]);
    printf("%u inputs\n", count);
    return 0;
}
