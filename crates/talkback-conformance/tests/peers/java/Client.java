// java.net.http as the client of our echo server, as python/clients.py: Client.java URL...
//
// It has no compression.

import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.WebSocket;
import java.net.http.WebSocketHandshakeException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletionException;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;

class Client implements WebSocket.Listener {
    static final HttpClient HTTP = HttpClient.newHttpClient();
    static String url;

    final BlockingQueue<Object> came = new LinkedBlockingQueue<>();
    final StringBuilder text = new StringBuilder();
    final java.io.ByteArrayOutputStream bytes = new java.io.ByteArrayOutputStream();
    WebSocket socket;

    Client(String path, String... subprotocols) {
        var builder = HTTP.newWebSocketBuilder();
        if (subprotocols.length > 0) {
            builder.subprotocols(subprotocols[0], Arrays.copyOfRange(subprotocols, 1, subprotocols.length));
        }
        socket = builder.buildAsync(URI.create(url + path), this).join();
    }

    public CompletionStage<?> onText(WebSocket socket, CharSequence part, boolean isLast) {
        text.append(part);
        if (isLast) {
            came.add(text.toString());
            text.setLength(0);
        }
        socket.request(1);
        return null;
    }

    public CompletionStage<?> onBinary(WebSocket socket, ByteBuffer part, boolean isLast) {
        byte[] copy = new byte[part.remaining()];
        part.get(copy);
        bytes.writeBytes(copy);
        if (isLast) {
            came.add(ByteBuffer.wrap(bytes.toByteArray()));
            bytes.reset();
        }
        socket.request(1);
        return null;
    }

    public CompletionStage<?> onPong(WebSocket socket, ByteBuffer payload) {
        came.add("pong " + payload.remaining());
        socket.request(1);
        return null;
    }

    public CompletionStage<?> onClose(WebSocket socket, int code, String reason) {
        came.add("closed " + code + " " + reason);
        return null;
    }

    public void onError(WebSocket socket, Throwable error) {
        came.add("lost");
    }

    void expect(Object wanted) throws Exception {
        equal(came.poll(60, TimeUnit.SECONDS), wanted);
    }

    void close() throws Exception {
        socket.sendClose(1000, "").join();
        expect("closed 1000 ");
    }

    static void equal(Object got, Object wanted) {
        if (!wanted.equals(got)) {
            String texts = "got " + got + ", wanted " + wanted;
            throw new AssertionError(texts.substring(0, Math.min(texts.length(), 300)));
        }
    }

    interface Check {
        void run() throws Exception;
    }

    static void check(String name, Check check) {
        try {
            check.run();
            System.out.println("ok " + name);
        } catch (Throwable error) {
            System.out.println("not ok " + name + ": " + error);
        }
    }

    static void messages(String path) throws Exception {
        var client = new Client(path);
        for (var message : new String[] {"안녕하세요", "👋🏽 🇰🇷 👩‍👩‍👧", "", "가나다 abc é 👋🏽 ".repeat(5_000)}) {
            client.socket.sendText(message, true).join();
            client.expect(message);
        }
        byte[] large = new byte[1 << 20];
        new Random(1).nextBytes(large);
        for (var message : new byte[][] {{}, {0, -1}, large}) {
            client.socket.sendBinary(ByteBuffer.wrap(message), true).join();
            client.expect(ByteBuffer.wrap(message));
        }
        client.close();
    }

    public static void main(String[] urls) {
        url = urls[0];
        check("messages", () -> messages(""));
        check("messages in fragments", () -> messages("fragments"));
        check("messages in fragments of the client's", () -> {
            var client = new Client("");
            client.socket.sendText("안녕, ", false).join();
            client.socket.sendText("", false).join();
            client.socket.sendText("세계", true).join();
            client.expect("안녕, 세계");
            client.close();
        });
        check("a burst", () -> {
            var client = new Client("");
            for (int number = 0; number < 1000; number++) {
                client.socket.sendText(String.valueOf(number), true).join();
            }
            for (int number = 0; number < 1000; number++) {
                client.expect(String.valueOf(number));
            }
            client.close();
        });
        check("subprotocol: none", () -> {
            var client = new Client("");
            equal(client.socket.getSubprotocol(), "");
            client.close();
        });
        check("subprotocol: the one both know", () -> {
            var client = new Client("", "other", "chat");
            equal(client.socket.getSubprotocol(), "chat");
            client.close();
        });
        check("ping", () -> {
            var client = new Client("");
            client.socket.sendPing(ByteBuffer.wrap(new byte[125])).join();
            client.expect("pong 125");
            client.close();
        });
        check("ping of the server's", () -> new Client("ping").expect("answered"));
        check("close", () -> {
            var client = new Client("told");
            client.socket.sendClose(4002, "done").join();
            client.expect("closed 4002 done");
        });
        check("close of the server's", () -> new Client("bye").expect("closed 4001 bye"));
        check("no close frame", () -> new Client("cut").expect("closed 1006 "));
        check("refused", () -> {
            try {
                new Client("missing");
                throw new AssertionError("it was accepted");
            } catch (CompletionException error) {
                equal(((WebSocketHandshakeException) error.getCause()).getResponse().statusCode(), 404);
            }
        });
        // It goes without a close frame.
        new Client("told");
        System.exit(0);
    }
}
