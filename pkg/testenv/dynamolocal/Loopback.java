import java.net.InetAddress;
import org.eclipse.jetty.server.Connector;
import org.eclipse.jetty.server.Server;
import org.eclipse.jetty.server.ServerConnector;
import software.amazon.dynamodb.services.local.main.ServerRunner;
import software.amazon.dynamodb.services.local.server.DynamoDBProxyServer;

/**
 * Starts DynamoDB Local on the loopback address and on a port that the system
 * chooses. By itself it listens on every address of the machine and has no
 * option against that. Prints "port N" when it is ready.
 */
class Loopback {
    public static void main(String[] args) throws Exception {
        DynamoDBProxyServer local = ServerRunner.createServerFromCommandLineArgs(args);
        var field = DynamoDBProxyServer.class.getDeclaredField("server");
        field.setAccessible(true);
        Server jetty = (Server) field.get(local);
        for (Connector connector : jetty.getConnectors()) {
            ServerConnector c = (ServerConnector) connector;
            c.setHost(InetAddress.getLoopbackAddress().getHostAddress());
            c.setPort(0);
        }
        local.start();
        System.out.println("port " + ((ServerConnector) jetty.getConnectors()[0]).getLocalPort());
    }
}
