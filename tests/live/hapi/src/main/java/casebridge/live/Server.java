package casebridge.live;

import java.io.IOException;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;

/** A HAPI FHIR JPA server (R4) at http://127.0.0.1:PORT/fhir for as long as standard input stays open. */
public final class Server {
    private Server() {}

    public static void main(String[] arguments) {
        try {
            serve(Options.of(arguments));
            System.exit(0);
        } catch (Exception problem) {
            problem.printStackTrace();
            System.exit(1); // HAPI's threads would keep a server alive that never came up
        }
    }

    private static void serve(Options options) throws IOException, LifecycleException {
        String folder = System.getProperty("java.io.tmpdir");
        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder);
        Connector connector = connector(options.port());
        tomcat.setConnector(connector);
        tomcat.init(); // takes the port before the long work begins
        if (connector.getLocalPort() < 0) {
            throw new IOException("port " + options.port() + " is taken");
        }

        Context site = tomcat.addContext("", folder);
        var spring = new AnnotationConfigWebApplicationContext();
        spring.setAllowCircularReferences(true); // HAPI's own beans need it
        spring.setServletContext(site.getServletContext());
        spring.addBeanFactoryPostProcessor(beans -> beans.registerSingleton("options", options));
        spring.register(Storage.class);
        spring.refresh();

        Tomcat.addServlet(site, "fhir", new Endpoint(spring)).setLoadOnStartup(1);
        site.addServletMappingDecoded("/fhir/*", "fhir");
        tomcat.start();
        System.out.println("listening " + connector.getLocalPort());
        awaitEndOfInput();
    }

    private static Connector connector(int port) {
        Connector connector = new Connector();
        connector.setProperty("address", "127.0.0.1");
        connector.setPort(port); // 0: a free one
        connector.setProperty("relaxedQueryChars", "|"); // token searches are often sent as system|code, unescaped
        connector.setProperty("maxKeepAliveRequests", "-1");
        connector.setMaxPostSize(-1);
        return connector;
    }

    /** Input ends when the process that started this one is gone, however it went, so no server is left behind. */
    private static void awaitEndOfInput() throws IOException {
        while (System.in.read() >= 0) {
            continue;
        }
    }
}
