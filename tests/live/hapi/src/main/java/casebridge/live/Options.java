package casebridge.live;

import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.ClientIdStrategyEnum;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings.IdStrategyEnum;
import java.util.Arrays;
import java.util.Map;
import java.util.stream.Collectors;

/** What may differ from one server to the next. Its defaults are in hapi.py, so every name is required here. */
record Options(
        int port,
        int defaultPage,
        int maxPage,
        long searchCacheMillis,
        boolean checkReferences,
        ClientIdStrategyEnum clientIds,
        IdStrategyEnum serverIds) {

    /** Reads arguments of the form name=value. */
    static Options of(String... arguments) {
        Map<String, String> given =
                Arrays.stream(arguments).map(a -> a.split("=", 2)).collect(Collectors.toMap(a -> a[0], a -> a[1]));
        return new Options(
                Integer.parseInt(given.get("port")),
                Integer.parseInt(given.get("default_page")),
                Integer.parseInt(given.get("max_page")),
                Long.parseLong(given.get("search_cache_millis")),
                Boolean.parseBoolean(given.get("check_references")),
                ClientIdStrategyEnum.valueOf(given.get("client_ids")),
                IdStrategyEnum.valueOf(given.get("server_ids")));
    }
}
