import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executors;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.AbstractLocalDynamoDBServerHandler;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;
import software.amazon.dynamodb.services.local.server.LocalDynamoDBRequestHandler;
import software.amazon.dynamodb.services.local.shared.access.AmazonDynamoDBLocal;
import software.amazon.dynamodb.services.local.shared.access.LocalDBClient;
import software.amazon.dynamodb.services.local.shared.access.sqlite.SQLiteDBAccess;
import software.amazon.dynamodb.services.local.shared.access.sqlite.TableSchemaInfo;
import software.amazon.dynamodb.services.local.shared.jobs.JobsRegister;

/**
 * Starts DynamoDB Local in memory, on the loopback address and on the port that the
 * property port names if that is free, else on one that the system chooses, and
 * prints "port N" when it is ready. It deletes no expired items
 * unless the property reap is set. By itself it listens on every address of the
 * machine, deletes expired items by the machine's clock, and has no option against
 * either.
 */
class Loopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(new String[] {"-inMemory", "-disableTelemetry"});
        if (!Boolean.getBoolean("reap")) {
            keepExpired(local);
        }
        Server jetty = (Server) get(DynamoDBProxyServer.class, "server", local);
        for (Connector connector : jetty.getConnectors()) {
            ServerConnector c = (ServerConnector) connector;
            c.setHost(InetAddress.getLoopbackAddress().getHostAddress());
            c.setPort(free(Integer.getInteger("port", 0)));
        }
        local.start();
        System.out.println("port " + ((ServerConnector) jetty.getConnectors()[0]).getLocalPort());
    }

    /** Returns a port if it is free, else 0. */
    private static int free(int port) {
        try (ServerSocket socket = new ServerSocket()) {
            socket.setReuseAddress(true); // connections that have ended may linger
            socket.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port));
            return port;
        } catch (IOException e) {
            return 0;
        }
    }

    /**
     * Makes the server use databases whose tables have no expiry, as the job that
     * deletes sees them. Clients still find it enabled. The server makes a database
     * for each pair of credentials and region when they are used first, unless its
     * map has one.
     */
    private static void keepExpired(DynamoDBProxyServer local) throws Exception {
        Object handler = get(DynamoDBProxyServer.class, "serverHandler", local);
        Object requests = get(AbstractLocalDynamoDBServerHandler.class, "primaryHandler", handler);
        var databases = new ConcurrentHashMap<Object, AmazonDynamoDBLocal>() {
            @Override
            public boolean containsKey(Object credentials) {
                computeIfAbsent(credentials, c -> new LocalDBClient(
                    new SQLiteDBAccess() {
                        @Override
                        public Map<String, TableSchemaInfo> fetchAllTablesWithTimeToLiveEnabled() {
                            return Map.of();
                        }
                    },
                    new JobsRegister(Executors.newFixedThreadPool(10), false)));
                return true;
            }
        };
        var field = LocalDynamoDBRequestHandler.class.getDeclaredField("dbRequestHandlers");
        field.setAccessible(true);
        field.set(requests, databases);
    }

    private static Object get(Class<?> of, String name, Object from) throws Exception {
        var field = of.getDeclaredField(name);
        field.setAccessible(true);
        return field.get(from);
    }
}
