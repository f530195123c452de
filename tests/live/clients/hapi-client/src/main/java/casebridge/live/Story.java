package casebridge.live;

import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.rest.api.Constants;
import ca.uhn.fhir.rest.api.MethodOutcome;
import ca.uhn.fhir.rest.api.PreferReturnEnum;
import ca.uhn.fhir.rest.client.api.IGenericClient;
import ca.uhn.fhir.rest.server.exceptions.BaseServerResponseException;
import ca.uhn.fhir.util.VersionUtil;
import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.google.gson.JsonParser;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.hl7.fhir.instance.model.api.IIdType;
import org.hl7.fhir.r4.model.Bundle;
import org.hl7.fhir.r4.model.CarePlan;
import org.hl7.fhir.r4.model.CodeType;
import org.hl7.fhir.r4.model.DateType;
import org.hl7.fhir.r4.model.Enumerations.AdministrativeGender;
import org.hl7.fhir.r4.model.Goal;
import org.hl7.fhir.r4.model.IdType;
import org.hl7.fhir.r4.model.Meta;
import org.hl7.fhir.r4.model.OperationOutcome;
import org.hl7.fhir.r4.model.Parameters;
import org.hl7.fhir.r4.model.Patient;
import org.hl7.fhir.r4.model.StringType;
import org.hl7.fhir.r4.model.Task;

/** HAPI's generic client does the story: `Story BASE STORY` prints an account of it as JSON. */
public final class Story {
    private static final FhirContext FHIR = FhirContext.forR4();

    private final IGenericClient client;
    private final JsonObject story;
    private final List<String> versions = new ArrayList<>();
    private final List<Object> refused = new ArrayList<>();

    private Story(String base, JsonObject story) {
        this.client = FHIR.newRestfulGenericClient(base); // asks for the CapabilityStatement before its first request
        this.story = story;
    }

    public static void main(String[] arguments) throws Exception {
        JsonObject story = JsonParser.parseString(Files.readString(Path.of(arguments[1]))).getAsJsonObject();
        System.out.println(new Gson().toJson(new Story(arguments[0], story).account()));
    }

    private Map<String, Object> account() {
        IIdType id = client.create().resource(patient()).execute().getId();
        versions.add(id.getVersionIdPart());
        Object stale = changed(id.toUnqualifiedVersionless());
        Bundle answer = client.transaction()
                .withBundle(FHIR.newJsonParser().parseResource(Bundle.class, story.get("transaction").toString()))
                .execute();
        List<String> located =
                answer.getEntry().stream().map(entry -> entry.getResponse().getLocation()).toList();
        List<String> found = found(new IdType(located.get(0)).toUnqualifiedVersionless());
        client.delete().resourceById(id.toUnqualifiedVersionless()).execute();
        refused.add(refusal(() -> client.read().resource(Patient.class).withId(id.getIdPart()).execute()));
        refused.add(refusal(() -> client.read().resource(Patient.class).withId("none").execute()));
        return Map.of(
                "client", "HAPI " + VersionUtil.getVersion(),
                "patient", id.getIdPart(),
                "versions", versions,
                "stale", stale,
                "located", located,
                "found", found,
                "refused", refused);
    }

    private Patient patient() {
        return FHIR.newJsonParser().parseResource(Patient.class, story.get("patient").toString());
    }

    /** Makes versions of the patient in every way; gives back how a stale one was refused. */
    private Object changed(IIdType id) {
        Patient first = client.read().resource(Patient.class).withId(id.getIdPart()).execute();
        Patient second = first.copy();
        second.setBirthDateElement(new DateType(story.get("birthDate").getAsString()));
        keep(client.update().resource(second).prefer(PreferReturnEnum.REPRESENTATION).execute());
        Object stale = refusal(() -> client.update().resource(first).execute()); // the id names its version: If-Match

        var gender = new Parameters.ParametersParameterComponent().setName("operation");
        gender.addPart().setName("type").setValue(new CodeType("add"));
        gender.addPart().setName("path").setValue(new StringType("Patient"));
        gender.addPart().setName("name").setValue(new StringType("gender"));
        gender.addPart().setName("value").setValue(new CodeType("other"));
        keep(client.patch().withFhirPatch(new Parameters().addParameter(gender)).withId(id).execute());
        Patient third = client.read().resource(Patient.class).withId(id.getIdPart()).execute();
        check(third.getGender() == AdministrativeGender.OTHER, "the patch");

        String value = third.getIdentifierFirstRep().getValue();
        String system = third.getIdentifierFirstRep().getSystem();
        var same = Patient.IDENTIFIER.exactly().systemAndIdentifier(system, value);
        MethodOutcome again = client.create().resource(patient()).conditional().where(same).execute();
        check(again.getId().getIdPart().equals(id.getIdPart()) && again.getCreated() == null, "the conditional create");
        Patient fourth = third.copy().setActive(true);
        keep(client.update().resource(fourth).conditional().where(same).execute());

        Patient old = client.read().resource(Patient.class).withIdAndVersion(id.getIdPart(), "1").execute();
        check(!old.hasBirthDate(), "the first version");
        Bundle history = client.history().onInstance(id).returnBundle(Bundle.class).execute();
        check(history.getEntry().size() == versions.size(), "the history");
        check(client.meta().get(Meta.class).fromResource(id).execute().hasVersionId(), "$meta");
        OperationOutcome verdict = (OperationOutcome) client.validate().resource(fourth).execute().getOperationOutcome();
        check(verdict.getIssue().stream().noneMatch(issue -> issue.getSeverity().toCode().equals("error")), "$validate");
        return stale;
    }

    private void keep(MethodOutcome outcome) {
        versions.add(outcome.getId().getVersionIdPart());
    }

    private List<String> found(IIdType subject) {
        Bundle page = client.search()
                .forResource(Task.class)
                .where(Task.PATIENT.hasId(subject))
                .count(10)
                .returnBundle(Bundle.class)
                .execute();
        List<String> ids = new ArrayList<>();
        while (page != null) {
            page.getEntry().forEach(entry -> ids.add(entry.getResource().getIdElement().getIdPart()));
            page = page.getLink(Bundle.LINK_NEXT) == null ? null : client.loadPage().next(page).execute();
        }
        Bundle plans = client.search()
                .forResource(CarePlan.class)
                .where(CarePlan.PATIENT.hasId(subject))
                .include(CarePlan.INCLUDE_GOAL)
                .sort()
                .descending(CarePlan.DATE)
                .usingStyle(ca.uhn.fhir.rest.api.SearchStyleEnum.POST)
                .returnBundle(Bundle.class)
                .execute();
        check(plans.getEntry().get(1).getResource() instanceof Goal, "_include");
        Bundle everything = client.operation()
                .onInstance(subject)
                .named("$everything")
                .withSearchParameter(Parameters.class, Constants.PARAM_COUNT, new ca.uhn.fhir.rest.param.NumberParam("100"))
                .useHttpGet()
                .returnResourceType(Bundle.class)
                .execute();
        check(everything.getEntry().size() == 3, "$everything");
        return ids;
    }

    private static List<Object> refusal(Runnable asked) {
        try {
            asked.run();
        } catch (BaseServerResponseException refused) {
            OperationOutcome outcome = (OperationOutcome) refused.getOperationOutcome();
            return List.of(refused.getStatusCode(), outcome.getIssueFirstRep().getCode().toCode());
        }
        throw new IllegalStateException("it was not refused");
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what + " is not as it must be");
        }
    }
}
