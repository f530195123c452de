package casebridge.live;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.catalina.Context;
import org.apache.catalina.LifecycleException;
import org.apache.catalina.connector.Connector;
import org.apache.catalina.startup.Tomcat;
import org.springframework.web.context.support.AnnotationConfigWebApplicationContext;

/** A HAPI FHIR JPA server (R4) at http://127.0.0.1:PORT/fhir for as long as standard input stays open. */
public final class Server {
    private Server() {}

    public static void main(String[] arguments) throws IOException, LifecycleException {
        Options options = Options.of(arguments);
        Path folder = Files.createTempDirectory("casebridge-hapi");
        folder.toFile().deleteOnExit();

        Tomcat tomcat = new Tomcat();
        tomcat.setBaseDir(folder.toString());
        Connector connector = connector(options.port());
        tomcat.setConnector(connector);
        Context site = tomcat.addContext("", folder.toString());

        var spring = new AnnotationConfigWebApplicationContext();
        spring.setAllowCircularReferences(true); // HAPI's own beans need it
        spring.setServletContext(site.getServletContext());
        spring.addBeanFactoryPostProcessor(beans -> beans.registerSingleton("options", options));
        spring.register(Storage.class);
        spring.refresh();

        Tomcat.addServlet(site, "fhir", new Endpoint(spring)).setLoadOnStartup(1);
        site.addServletMappingDecoded("/fhir/*", "fhir");
        tomcat.start();
        if (connector.getLocalPort() < 0) {
            throw new IllegalStateException("cannot listen on port " + options.port());
        }
        System.out.println("listening " + connector.getLocalPort());
        awaitEndOfInput();
        System.exit(0);
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
