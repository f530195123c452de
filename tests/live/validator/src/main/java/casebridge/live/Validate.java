package casebridge.live;

import com.google.gson.Gson;
import com.google.gson.JsonArray;
import com.google.gson.JsonElement;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.io.ByteArrayInputStream;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.StreamSupport;
import org.hl7.fhir.r5.elementmodel.Manager.FhirFormat;
import org.hl7.fhir.r5.model.StructureDefinition;
import org.hl7.fhir.r5.utils.validation.constants.ReferenceValidationPolicy;
import org.hl7.fhir.utilities.FhirPublication;
import org.hl7.fhir.utilities.TimeTracker;
import org.hl7.fhir.utilities.validation.ValidationMessage;
import org.hl7.fhir.validation.IgLoader;
import org.hl7.fhir.validation.ValidationEngine;
import org.hl7.fhir.validation.instance.InstanceValidator;
import org.hl7.fhir.validation.instance.advisor.BasePolicyAdvisorForFullValidation;
import org.hl7.fhir.validation.service.DisabledValidationPolicyAdvisor;

/** Reads {packages, profiles, resources} from the file named first; writes one line of JSON per issue to the second. */
public final class Validate {
    private Validate() {}

    public static void main(String[] files) throws Exception {
        JsonObject job = JsonParser.parseString(Files.readString(Path.of(files[0]))).getAsJsonObject();
        ValidationEngine engine = engine(texts(job, "packages"));
        List<StructureDefinition> profiles = texts(job, "profiles").stream()
                .map(url -> engine.getContext().fetchResource(StructureDefinition.class, url))
                .toList();
        // One for all resources: each reads a table of OIDs, which takes longer than most resources do.
        InstanceValidator validator = engine.getValidator(FhirFormat.JSON);
        JsonArray resources = job.getAsJsonArray("resources");
        try (Writer issues = Files.newBufferedWriter(Path.of(files[1]))) {
            for (int i = 0; i < resources.size(); i++) {
                List<ValidationMessage> found = new ArrayList<>();
                byte[] text = resources.get(i).toString().getBytes(StandardCharsets.UTF_8);
                validator.validate(null, found, new ByteArrayInputStream(text), FhirFormat.JSON, profiles);
                for (ValidationMessage issue : found) {
                    issues.write(new Gson().toJson(Map.of(
                            "resource", i,
                            "severity", issue.getLevel().toCode(),
                            "location", String.valueOf(issue.getLocation()),
                            "message", issue.getMessage())));
                    issues.write('\n');
                }
            }
        }
        System.exit(0); // the engine's threads would keep it alive
    }

    /** An engine with R4 and these packages, all from user.home/.fhir/packages, that asks no server anything. */
    private static ValidationEngine engine(List<String> packages) throws Exception {
        ValidationEngine engine = new ValidationEngine.ValidationEngineBuilder()
                .withVersion("4.0.1")
                .withThoVersion("6.2.0")
                .withExtensionsVersion("5.2.0")
                .withTimeTracker(new TimeTracker())
                .fromSource("hl7.fhir.r4.core#4.0.1");
        engine.setTerminologyServer(null, null, FhirPublication.R4, false);
        IgLoader loader = new IgLoader(engine.getPcm(), engine.getContext(), engine.getVersion(), false);
        for (String name : packages) {
            loader.loadIg(engine.getIgs(), engine.getBinaries(), name, false);
        }
        // A reference to a resource that is not at hand is no fault of the resource that holds it.
        engine.setPolicyAdvisor(new DisabledValidationPolicyAdvisor());
        engine.getPolicyAdvisor()
                .setPolicyAdvisor(new BasePolicyAdvisorForFullValidation(
                        ReferenceValidationPolicy.CHECK_TYPE_IF_EXISTS, Set.of()));
        engine.setAllowExampleUrls(true);
        engine.prepare();
        return engine;
    }

    private static List<String> texts(JsonObject job, String name) {
        return StreamSupport.stream(job.getAsJsonArray(name).spliterator(), false)
                .map(JsonElement::getAsString)
                .toList();
    }
}
