/* Runs kernel exports over memory images, with no C library: what the emulated targets' tests link with the built kernel.
 *
 * Standard input holds any number of requests: export number, descriptor address, image size (three int64), the image.
 * The image is put at BASE, the export is called, and its result (int64) and the image as it left it are written out.
 * EXPORTS is given by the compiler's command line as X(name) X(name) ...
 */
typedef long long word;
typedef unsigned char byte;

#define BASE 0x20000000L
#define MOST_BYTES (64L << 20)

#if defined(__aarch64__)
enum { READ = 63, WRITE = 64, EXIT = 93, MAP = 222 };
#define CALL "svc 0"
#define NUMBER "x8"
#define REGISTER(n) "x" #n
#else
enum { READ = 3, WRITE = 4, EXIT = 1, MAP = 192 };
#define CALL "svc 0"
#define NUMBER "r7"
#define REGISTER(n) "r" #n
#endif

static long kernel_call(long number, long a, long b, long c, long d, long e, long f) {
    register long what __asm__(NUMBER) = number;
    register long r0 __asm__(REGISTER(0)) = a;
    register long r1 __asm__(REGISTER(1)) = b;
    register long r2 __asm__(REGISTER(2)) = c;
    register long r3 __asm__(REGISTER(3)) = d;
    register long r4 __asm__(REGISTER(4)) = e;
    register long r5 __asm__(REGISTER(5)) = f;
    __asm__ volatile(CALL : "+r"(r0) : "r"(what), "r"(r1), "r"(r2), "r"(r3), "r"(r4), "r"(r5) : "memory");
    return r0;
}

/* What a C library would give the kernel. Volatile, so that the compiler does not turn the loops into calls of themselves. */
void *memmove(void *target, const void *source, unsigned long size) {
    volatile byte *to = target;
    const volatile byte *from = source;
    if (to < from)
        for (unsigned long i = 0; i < size; i++) to[i] = from[i];
    else
        for (unsigned long i = size; i-- > 0;) to[i] = from[i];
    return target;
}

void *memcpy(void *target, const void *source, unsigned long size) { return memmove(target, source, size); }

void *memset(void *target, int value, unsigned long size) {
    volatile byte *to = target;
    for (unsigned long i = 0; i < size; i++) to[i] = (byte)value;
    return target;
}

#define X(name) extern word name(word);
EXPORTS
#undef X

static word (*const table[])(word) = {
#define X(name) name,
    EXPORTS
#undef X
};

static int moved_all(long number, long channel, byte *place, long size) {
    while (size > 0) {
        long done = kernel_call(number, channel, (long)place, size, 0, 0, 0);
        if (done <= 0) return 0;
        place += done;
        size -= done;
    }
    return 1;
}

void _start(void) {
    word request[3];
    long status = kernel_call(MAP, BASE, MOST_BYTES, 3, 0x32, -1, 0) == BASE ? 0 : 3; /* read+write, private fixed anonymous */
    while (status == 0 && moved_all(READ, 0, (byte *)request, sizeof request)) {
        if (request[2] > MOST_BYTES || !moved_all(READ, 0, (byte *)BASE, (long)request[2])) {
            status = 4;
            break;
        }
        word result = table[request[0]](request[1]);
        moved_all(WRITE, 1, (byte *)&result, sizeof result);
        moved_all(WRITE, 1, (byte *)BASE, (long)request[2]);
    }
    kernel_call(EXIT, status, 0, 0, 0, 0, 0);
}
