// load_server: the other end of the benchmarks, made so that it is never the slow one.
//
//     load_server [CERT KEY]         serves wss when it is given a certificate and its key, else ws
//
// It listens on a free port of 127.0.0.1, prints that port, and ends when its standard input does, so that it can't
// outlive the benchmark. The path of a URL says what its connection does:
//
//     /echo                          every message comes back
//     /sink                          messages are counted: "sink messages=N bytes=N close=CODE" on stdout at the end
//     /source?count=N&size=S         N messages of S bytes, then Close 1000; &binary for binary ones
//
// &deflate accepts permessage-deflate where it is offered (/sink counts compressed bytes, /echo ignores it).
// One thread, one poll loop; frames are parsed in place and leave in large writes.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zlib.h>

enum { INPUT = 256 << 10, BLOCK = 512 << 10, HIGH_WATER = 1 << 20, MAX_CONNECTIONS = 64, TURNS = 64 };
enum { CONTINUATION = 0x0, TEXT = 0x1, BINARY = 0x2, CLOSE = 0x8, PING = 0x9, PONG = 0xA };

typedef struct {
    uint8_t *bytes;
    size_t start, end, capacity;
} Buffer;

typedef enum { REQUEST, OPEN, CLOSING } State;
typedef enum { ECHO, SINK, SOURCE } Mode;

typedef struct {
    int fd;
    SSL *ssl;
    State state;
    Mode mode;
    bool compressed, sent_close, wants_write;
    int close_code;
    uint8_t input[INPUT];
    size_t input_length;
    Buffer output;
    // The frame that is being read: what is left of it, and where its mask stands.
    uint64_t left;
    uint8_t mask[4], opcode;
    bool in_frame, final;
    unsigned mask_at;
    uint64_t messages, bytes;
    // The source: one block of whole frames that is written again and again.
    uint8_t *block;
    size_t *frame_ends;
    uint64_t block_messages, to_send;
} Connection;

static void fail(const char *what) {
    fprintf(stderr, "load_server: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void *must(void *memory) {
    if (!memory) fail("memory");
    return memory;
}

// MARK: Buffers and frames

static uint8_t *reserve(Buffer *buffer, size_t count) {
    if (buffer->start == buffer->end) buffer->start = buffer->end = 0;
    if (buffer->end + count > buffer->capacity) {
        memmove(buffer->bytes, buffer->bytes + buffer->start, buffer->end - buffer->start);
        buffer->end -= buffer->start;
        buffer->start = 0;
        if (buffer->end + count > buffer->capacity) {
            buffer->capacity = (buffer->end + count) * 2;
            buffer->bytes = must(realloc(buffer->bytes, buffer->capacity));
        }
    }
    return buffer->bytes + buffer->end;
}

static void append(Buffer *buffer, const void *bytes, size_t count) {
    memcpy(reserve(buffer, count), bytes, count);
    buffer->end += count;
}

static size_t put_header(uint8_t *out, uint8_t first, uint64_t length) {
    out[0] = first;
    if (length < 126) {
        out[1] = (uint8_t)length;
        return 2;
    }
    int wide = length < 65536 ? 2 : 8;
    out[1] = wide == 2 ? 126 : 127;
    for (int i = 0; i < wide; i++) out[2 + i] = (uint8_t)(length >> (8 * (wide - 1 - i)));
    return 2 + (size_t)wide;
}

static void append_frame(Buffer *buffer, uint8_t first, const void *payload, size_t length) {
    uint8_t header[10];
    append(buffer, header, put_header(header, first, length));
    append(buffer, payload, length);
}

static void unmask(uint8_t *bytes, size_t count, const uint8_t key[4], unsigned at) {
    uint8_t turned[8];
    for (unsigned i = 0; i < 8; i++) turned[i] = key[(at + i) & 3];
    uint64_t wide, word;
    memcpy(&wide, turned, 8);
    size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        memcpy(&word, bytes + i, 8);
        word ^= wide;
        memcpy(bytes + i, &word, 8);
    }
    for (; i < count; i++) bytes[i] ^= turned[i & 7];
}

// MARK: The source

/// JSON that compresses about as well as the real thing: the keys repeat, the numbers don't.
static void fill_with_json(char *out, size_t size, uint32_t *seed) {
    size_t at = 0;
    while (at < size) {
        char item[96];
        *seed = *seed * 1664525u + 1013904223u;
        int length = snprintf(item, sizeof item, "{\"id\":%u,\"price\":%u.%02u,\"side\":\"%s\"},", *seed >> 8, *seed >> 20, *seed % 100,
                              *seed & 1024 ? "buy" : "sell");
        size_t take = size - at < (size_t)length ? size - at : (size_t)length;
        memcpy(out + at, item, take);
        at += take;
    }
}

/// Lays out whole frames, up to BLOCK bytes of them. A compressed block starts with an empty window and then takes its
/// context over from message to message, so it inflates to the same text each time that it is sent.
static void build_block(Connection *c, size_t size, bool binary) {
    Buffer block = {0};
    char *message = must(malloc(size + 1));
    uint8_t *packed = must(malloc(compressBound(size) + 64));
    size_t room = BLOCK / (size + 10) + 1;
    c->frame_ends = must(malloc(room * sizeof *c->frame_ends));
    z_stream deflater = {0};
    if (c->compressed && deflateInit2(&deflater, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -15, 8, Z_DEFAULT_STRATEGY) != Z_OK) fail("zlib");
    uint32_t seed = 1;
    uint8_t first = 0x80 | (binary ? BINARY : TEXT) | (c->compressed ? 0x40 : 0);
    for (c->block_messages = 0; c->block_messages < room; c->block_messages++) {
        fill_with_json(message, size, &seed);
        if (c->compressed) {
            deflater.next_in = (Bytef *)message;
            deflater.avail_in = (uInt)size;
            deflater.next_out = packed;
            deflater.avail_out = (uInt)(compressBound(size) + 64);
            deflate(&deflater, Z_SYNC_FLUSH);
            size_t length = (size_t)(deflater.next_out - packed) - 4;  // RFC 7692, 7.2.1: less the 00 00 ff ff
            append_frame(&block, first, packed, length);
        } else {
            append_frame(&block, first, message, size);
        }
        c->frame_ends[c->block_messages] = block.end;
    }
    if (c->compressed) deflateEnd(&deflater);
    free(message);
    free(packed);
    c->block = block.bytes;
}

static void append_from_block(Connection *c) {
    uint64_t count = c->to_send < c->block_messages ? c->to_send : c->block_messages;
    append(&c->output, c->block, c->frame_ends[count - 1]);
    c->to_send -= count;
    if (c->to_send > 0) return;
    append_frame(&c->output, 0x80 | CLOSE, "\x03\xe8", 2);
    c->sent_close = true;
}

// MARK: The handshake

static const char *header_value(const char *head, const char *name) {
    const char *line = strcasestr(head, name);
    if (!line) return NULL;
    line += strlen(name);
    return line + strspn(line, " ");
}

static uint64_t query_number(const char *target, const char *name, uint64_t otherwise) {
    const char *found = strstr(target, name);
    return found ? strtoull(found + strlen(name), NULL, 10) : otherwise;
}

static void answer_request(Connection *c, char *head) {
    char target[256] = "";
    const char *key = header_value(head, "\r\nSec-WebSocket-Key:");
    if (sscanf(head, "GET %255s ", target) != 1 || !key) {
        static const char refusal[] = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        append(&c->output, refusal, sizeof refusal - 1);
        c->sent_close = true;
        c->state = CLOSING;
        return;
    }
    const char *offer = header_value(head, "\r\nSec-WebSocket-Extensions:");
    c->mode = strncmp(target, "/sink", 5) == 0 ? SINK : strncmp(target, "/source", 7) == 0 ? SOURCE : ECHO;
    c->compressed = c->mode != ECHO && strstr(target, "&deflate") && offer && strncmp(offer, "permessage-deflate", 18) == 0;

    char joined[128];
    uint8_t digest[EVP_MAX_MD_SIZE], accept[64];
    unsigned digest_length = 0;
    int length = snprintf(joined, sizeof joined, "%.24s258EAFA5-E914-47DA-95CA-C5AB0DC85B11", key);
    EVP_Digest(joined, (size_t)length, digest, &digest_length, EVP_sha1(), NULL);
    EVP_EncodeBlock(accept, digest, (int)digest_length);
    char answer[512];
    length = snprintf(answer, sizeof answer,
                      "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s\r\n",
                      (char *)accept, c->compressed ? "Sec-WebSocket-Extensions: permessage-deflate\r\n" : "");
    append(&c->output, answer, (size_t)length);
    c->state = OPEN;
    if (c->mode == SOURCE) {
        c->to_send = query_number(target, "count=", 1);
        build_block(c, query_number(target, "size=", 32), strstr(target, "&binary") != NULL);
    }
}

// MARK: What a client sends

static void on_control(Connection *c, uint8_t opcode, uint8_t *payload, size_t length) {
    if (opcode == PING) append_frame(&c->output, 0x80 | PONG, payload, length);
    if (opcode != CLOSE) return;
    c->close_code = length >= 2 ? payload[0] << 8 | payload[1] : 1005;
    if (!c->sent_close) append_frame(&c->output, 0x80 | CLOSE, payload, length >= 2 ? 2 : 0);
    c->sent_close = true;
    c->to_send = 0;
    c->state = CLOSING;
}

/// Takes what it can from the input, less than a frame where a frame is large; returns how many bytes it took.
static size_t take_input(Connection *c, uint8_t *in, size_t available) {
    if (c->in_frame) {
        size_t count = c->left < available ? (size_t)c->left : available;
        if (c->mode == ECHO) {
            unmask(in, count, c->mask, c->mask_at);
            append(&c->output, in, count);
        }
        c->bytes += count;
        c->mask_at = (c->mask_at + count) & 3;
        c->left -= count;
        if (c->left == 0) {
            c->in_frame = false;
            c->messages += c->final;
        }
        return count;
    }
    if (available < 2) return 0;
    uint64_t length = in[1] & 0x7F;
    size_t header = 2;
    int wide = length == 126 ? 2 : length == 127 ? 8 : 0;
    header += (size_t)wide + 4;
    if (available < header) return 0;
    if (wide) {
        length = 0;
        for (int i = 0; i < wide; i++) length = length << 8 | in[2 + i];
    }
    memcpy(c->mask, in + header - 4, 4);
    uint8_t opcode = in[0] & 0x0F;
    if (opcode >= CLOSE) {
        if (available < header + length) return 0;
        unmask(in + header, (size_t)length, c->mask, 0);
        on_control(c, opcode, in + header, (size_t)length);
        return header + (size_t)length;
    }
    if (c->mode == ECHO) {
        uint8_t out[10];
        append(&c->output, out, put_header(out, in[0], length));
    }
    c->final = in[0] & 0x80;
    c->left = length;
    c->mask_at = 0;
    c->in_frame = length > 0;
    if (length == 0) c->messages += c->final;
    return header;
}

static bool consume(Connection *c) {
    size_t at = 0;
    if (c->state == REQUEST) {
        uint8_t *end = memmem(c->input, c->input_length, "\r\n\r\n", 4);
        if (!end) return c->input_length < 16384;
        end[2] = 0;
        at = (size_t)(end - c->input) + 4;
        answer_request(c, (char *)c->input);
    }
    while (c->state == OPEN && at < c->input_length) {
        size_t taken = take_input(c, c->input + at, c->input_length - at);
        if (!taken) break;
        at += taken;
    }
    if (c->state == CLOSING) at = c->input_length;
    memmove(c->input, c->input + at, c->input_length - at);
    c->input_length -= at;
    return true;
}

// MARK: Input and output

typedef enum { PROGRESS, BLOCKED, ENDED } Outcome;

static Outcome tls_outcome(Connection *c, int result) {
    int error = SSL_get_error(c->ssl, result);
    ERR_clear_error();
    if (error == SSL_ERROR_WANT_WRITE) c->wants_write = true;
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE ? BLOCKED : ENDED;
}

static Outcome read_some(Connection *c) {
    uint8_t *into = c->input + c->input_length;
    size_t room = INPUT - c->input_length;
    ssize_t count = c->ssl ? SSL_read(c->ssl, into, (int)room) : read(c->fd, into, room);
    if (count <= 0) {
        if (c->ssl) return tls_outcome(c, (int)count);
        return count < 0 && (errno == EAGAIN || errno == EINTR) ? BLOCKED : ENDED;
    }
    c->input_length += (size_t)count;
    return consume(c) ? PROGRESS : ENDED;
}

static Outcome write_bytes(Connection *c, const uint8_t *bytes, size_t count, size_t *written) {
    ssize_t sent = c->ssl ? SSL_write(c->ssl, bytes, (int)count) : send(c->fd, bytes, count, MSG_NOSIGNAL);
    if (sent > 0) {
        *written = (size_t)sent;
        return PROGRESS;
    }
    if (c->ssl) return tls_outcome(c, (int)sent);
    if (errno != EAGAIN && errno != EINTR) return ENDED;
    c->wants_write = true;
    return BLOCKED;
}

static Outcome write_some(Connection *c) {
    if (c->output.start == c->output.end && c->to_send > 0) append_from_block(c);
    if (c->output.start == c->output.end) return BLOCKED;
    size_t written = 0;
    Outcome outcome = write_bytes(c, c->output.bytes + c->output.start, c->output.end - c->output.start, &written);
    c->output.start += written;
    return outcome;
}

/// Reads and writes until neither gets on, or its turn is over; false when the connection is done with.
static bool serve(Connection *c, bool *again) {
    c->wants_write = false;
    for (int turn = 0; turn < TURNS; turn++) {
        Outcome wrote = write_some(c);
        if (wrote == ENDED) return false;
        bool drained = c->output.start == c->output.end && c->to_send == 0;
        if (c->state == CLOSING && c->sent_close && drained) return false;
        Outcome took = c->output.end - c->output.start < HIGH_WATER ? read_some(c) : BLOCKED;
        if (took == ENDED) return false;
        if (wrote == BLOCKED && took == BLOCKED && (drained || c->wants_write)) return true;
    }
    *again = true;
    return true;
}

static void end_connection(Connection *c) {
    if (c->mode == SINK && c->state != REQUEST) {
        printf("sink messages=%llu bytes=%llu close=%d\n", (unsigned long long)c->messages, (unsigned long long)c->bytes, c->close_code);
        fflush(stdout);
    }
    if (c->ssl) {
        SSL_shutdown(c->ssl);
        SSL_free(c->ssl);
    }
    close(c->fd);
    free(c->output.bytes);
    free(c->block);
    free(c->frame_ends);
    free(c);
}

static Connection *start_connection(int listener, SSL_CTX *tls) {
    int fd = accept(listener, NULL, NULL);
    if (fd < 0) return NULL;
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    Connection *c = must(calloc(1, sizeof *c));
    c->fd = fd;
    if (tls) {
        c->ssl = must(SSL_new(tls));
        SSL_set_fd(c->ssl, fd);
        SSL_set_accept_state(c->ssl);
    }
    return c;
}

static int listen_on_loopback(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    if (fd < 0 || bind(fd, (struct sockaddr *)&address, length) || listen(fd, 64)) fail("listen");
    getsockname(fd, (struct sockaddr *)&address, &length);
    fcntl(fd, F_SETFL, O_NONBLOCK);
    printf("%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    SSL_CTX *tls = NULL;
    if (argc == 3) {
        tls = must(SSL_CTX_new(TLS_server_method()));
        SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
        if (SSL_CTX_use_certificate_chain_file(tls, argv[1]) != 1 || SSL_CTX_use_PrivateKey_file(tls, argv[2], SSL_FILETYPE_PEM) != 1) {
            ERR_print_errors_fp(stderr);
            return 1;
        }
    }
    int listener = listen_on_loopback();
    Connection *connections[MAX_CONNECTIONS] = {0};
    struct pollfd polled[MAX_CONNECTIONS + 2];
    bool again = false;
    for (;;) {
        polled[0] = (struct pollfd){.fd = STDIN_FILENO, .events = POLLIN};
        polled[1] = (struct pollfd){.fd = listener, .events = POLLIN};
        for (int i = 0; i < MAX_CONNECTIONS; i++) {
            Connection *c = connections[i];
            bool reads = c && c->output.end - c->output.start < HIGH_WATER;
            polled[i + 2] = (struct pollfd){.fd = c ? c->fd : -1, .events = (reads ? POLLIN : 0) | (c && c->wants_write ? POLLOUT : 0)};
        }
        if (poll(polled, MAX_CONNECTIONS + 2, again ? 0 : -1) < 0 && errno != EINTR) fail("poll");
        if (polled[0].revents) return 0;
        bool more = false;
        for (int i = 0; i < MAX_CONNECTIONS; i++) {
            if (!connections[i] && polled[1].revents) {
                connections[i] = start_connection(listener, tls);
                polled[1].revents = 0;
            } else if (!connections[i] || !(polled[i + 2].revents || again)) {
                continue;
            }
            if (connections[i] && !serve(connections[i], &more)) {
                end_connection(connections[i]);
                connections[i] = NULL;
            }
        }
        again = more;
    }
}
