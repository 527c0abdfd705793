// floor: the least that a line client can do, as the mark that wsline is measured against.
//
//     floor HOST PORT PATH [--tls]
//
// Lines of stdin become masked text messages, messages become lines of stdout, many at a time in either direction.
// It checks nothing: not the handshake, not the certificate, not the frames, not UTF-8. It is no client to use.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { CHUNK = 256 << 10 };
typedef struct { uint8_t *bytes; size_t start, end, capacity; } Buffer;

static int fd;
static SSL *ssl;
static Buffer lines, output, input;
static uint64_t mask = 0x1234567812345678;

static uint8_t *reserve(Buffer *b, size_t count) {
    if (b->start == b->end) b->start = b->end = 0;
    if (b->end + count > b->capacity) {
        memmove(b->bytes, b->bytes + b->start, b->end - b->start);
        b->end -= b->start, b->start = 0;
        if (b->end + count > b->capacity) b->bytes = realloc(b->bytes, b->capacity = (b->end + count) * 2);
    }
    return b->bytes + b->end;
}

static void put_frame(uint8_t first, const uint8_t *payload, size_t length) {
    uint8_t *out = reserve(&output, length + 14), *start = out;
    int wide = length < 126 ? 0 : length < 65536 ? 2 : 8;
    *out++ = first;
    *out++ = 0x80 | (wide == 0 ? length : wide == 2 ? 126 : 127);
    while (wide) *out++ = (uint8_t)(length >> (8 * --wide));
    memcpy(out, &mask, 4), out += 4;
    uint64_t word;
    size_t i = 0;
    for (; i + 8 <= length; i += 8) memcpy(&word, payload + i, 8), word ^= mask, memcpy(out + i, &word, 8);
    for (; i < length; i++) out[i] = payload[i] ^ ((uint8_t *)&mask)[i & 3];
    output.end += (size_t)(out - start) + length;
}

static void write_all(const uint8_t *bytes, size_t count) {
    while (count) {
        ssize_t written = write(STDOUT_FILENO, bytes, count);
        if (written <= 0) exit(1);
        bytes += written, count -= (size_t)written;
    }
}

// Prints the whole frames of the input, all of them in one write: the payload is moved down over its own header.
static bool print_frames(void) {
    uint8_t *out = input.bytes + input.start, *from = out;
    bool open = true;
    while (open && input.end - input.start >= 2) {
        uint8_t *in = input.bytes + input.start;
        uint64_t length = in[1];
        size_t wide = length == 126 ? 2 : length == 127 ? 8 : 0;
        if (input.end - input.start < 2 + wide) break;
        if (wide) length = 0;
        for (size_t i = 0; i < wide; i++) length = length << 8 | in[2 + i];
        if (input.end - input.start < 2 + wide + length) break;
        open = (in[0] & 0x0F) != 8;
        if (open) {
            memmove(out, in + 2 + wide, length);
            out += length;
            *out++ = '\n';
        }
        input.start += 2 + wide + length;
    }
    write_all(from, (size_t)(out - from));
    return open;
}

static void cut_lines(bool ended) {
    uint8_t *newline, *at = lines.bytes + lines.start, *end = lines.bytes + lines.end;
    for (; (newline = memchr(at, '\n', (size_t)(end - at))); at = newline + 1) put_frame(0x81, at, (size_t)(newline - at));
    if (ended && at < end) put_frame(0x81, at, (size_t)(end - at)), at = end;
    lines.start = (size_t)(at - lines.bytes);
    if (ended) put_frame(0x88, (const uint8_t *)"\x03\xe8", 2);
}

int main(int argc, char **argv) {
    if (argc < 4) return 64;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[2]))};
    inet_pton(AF_INET, argv[1], &address.sin_addr);
    fd = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address)) return 3;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    if (argc > 4) {
        ssl = SSL_new(SSL_CTX_new(TLS_client_method()));
        SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        SSL_set_fd(ssl, fd);
        if (SSL_connect(ssl) != 1) return 4;
    }
    int length = asprintf((char **)&output.bytes,
                          "GET %s HTTP/1.1\r\nHost: %s:%s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                          "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", argv[3], argv[1], argv[2]);
    output.end = output.capacity = (size_t)length;
    fcntl(fd, F_SETFL, O_NONBLOCK);

    bool open = false, reading = true;
    for (;;) {
        bool pending = output.start < output.end;
        struct pollfd polled[2] = {{.fd = fd, .events = POLLIN | (pending ? POLLOUT : 0)},
                                   {.fd = open && reading && !pending ? STDIN_FILENO : -1, .events = POLLIN}};
        if (poll(polled, 2, -1) < 0) return 1;
        if (polled[1].revents) {
            ssize_t count = read(STDIN_FILENO, reserve(&lines, CHUNK), CHUNK);
            lines.end += count > 0 ? (size_t)count : 0;
            cut_lines(!(reading = count > 0));
        }
        if (output.start < output.end) {
            size_t count = output.end - output.start;
            ssize_t sent = ssl ? SSL_write(ssl, output.bytes + output.start, (int)count) : write(fd, output.bytes + output.start, count);
            if (sent > 0) output.start += (size_t)sent;
        }
        while (polled[0].revents & (POLLIN | POLLHUP)) {
            uint8_t *into = reserve(&input, CHUNK);
            ssize_t count = ssl ? SSL_read(ssl, into, CHUNK) : read(fd, into, CHUNK);
            if (count == 0 || (ssl && count < 0 && SSL_get_error(ssl, (int)count) != SSL_ERROR_WANT_READ)) return 9;
            if (count < 0) break;
            input.end += (size_t)count;
            if (!open) {
                uint8_t *head = memmem(input.bytes, input.end, "\r\n\r\n", 4);
                if (!head) continue;
                open = true;
                input.start = (size_t)(head - input.bytes) + 4;
            }
            if (!print_frames()) {
                if (reading) put_frame(0x88, (const uint8_t *)"\x03\xe8", 2);
                if (output.start < output.end && ssl) SSL_write(ssl, output.bytes + output.start, (int)(output.end - output.start));
                else if (output.start < output.end) (void)!write(fd, output.bytes + output.start, output.end - output.start);
                return 0;
            }
            if (!ssl) break;
        }
    }
}
