package casebridge.live;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.client.interceptor.BearerTokenAuthInterceptor;
import ca.uhn.fhir.rest.server.exceptions.ResourceNotFoundException;
import ca.uhn.fhir.util.VersionUtil;
import com.google.gson.Gson;
import com.google.gson.JsonParser;
import com.nimbusds.jose.JWSAlgorithm;
import com.nimbusds.jose.JWSHeader;
import com.nimbusds.jose.crypto.ECDSASigner;
import com.nimbusds.jose.jwk.ECKey;
import com.nimbusds.jose.jwk.JWKSet;
import com.nimbusds.jwt.JWTClaimsSet;
import com.nimbusds.jwt.SignedJWT;
import java.net.URI;
import java.net.URLEncoder;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse.BodyHandlers;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Date;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import java.util.stream.Collectors;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CarePlan;

/**
 * HAPI's generic client pulls plans as a service of an organisation: `Services BASE KEYS` prints what it got as JSON. HAPI's
 * client takes a token and gets none: Nimbus signs what it is given for.
 */
public final class Services {
    private static final String CLIENT = "south";
    private static final HttpClient HTTP = HttpClient.newHttpClient();

    public static void main(String[] arguments) throws Exception {
        String base = arguments[0];
        ECKey key = JWKSet.parse(Files.readString(Path.of(arguments[1]))).getKeys().get(0).toECKey();
        IGenericClient client = FhirContext.forR4().newRestfulGenericClient(base);
        client.registerInterceptor(new BearerTokenAuthInterceptor(token(base, key)));
        String read = client.read().resource(CarePlan.class).withId("open-ours").execute().getIdElement().getIdPart();
        Bundle page = client.search().forResource(CarePlan.class).sort().ascending("_id").returnBundle(Bundle.class).execute();
        List<String> found = page.getEntry().stream()
                .map(entry -> entry.getResource().getIdElement().getIdPart())
                .toList();
        System.out.println(new Gson().toJson(Map.of(
                "client", "HAPI " + VersionUtil.getVersion(), "read", read, "found", found, "refused", refused(client))));
    }

    private static int refused(IGenericClient client) {
        try {
            client.read().resource(CarePlan.class).withId("open-theirs").execute();
            return 200;
        } catch (ResourceNotFoundException error) {
            return error.getStatusCode();
        }
    }

    private static String token(String base, ECKey key) throws Exception {
        HttpRequest asked = HttpRequest.newBuilder(URI.create(base + "/.well-known/smart-configuration")).build();
        String endpoint = text(asked, "token_endpoint");
        JWTClaimsSet claims = new JWTClaimsSet.Builder()
                .issuer(CLIENT)
                .subject(CLIENT)
                .audience(endpoint)
                .expirationTime(new Date(System.currentTimeMillis() + 120_000))
                .jwtID(UUID.randomUUID().toString())
                .build();
        SignedJWT proof = new SignedJWT(new JWSHeader.Builder(JWSAlgorithm.ES384).keyID(key.getKeyID()).build(), claims);
        proof.sign(new ECDSASigner(key));
        String form = Map.of(
                        "grant_type", "client_credentials",
                        "scope", "system/CarePlan.rs",
                        "client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
                        "client_assertion", proof.serialize())
                .entrySet().stream()
                .map(each -> each.getKey() + "=" + URLEncoder.encode(each.getValue(), StandardCharsets.UTF_8))
                .collect(Collectors.joining("&"));
        return text(
                HttpRequest.newBuilder(URI.create(endpoint))
                        .header("Content-Type", "application/x-www-form-urlencoded")
                        .POST(HttpRequest.BodyPublishers.ofString(form))
                        .build(),
                "access_token");
    }

    private static String text(HttpRequest request, String name) throws Exception {
        String answer = HTTP.send(request, BodyHandlers.ofString()).body();
        return JsonParser.parseString(answer).getAsJsonObject().get(name).getAsString();
    }
}
