package casebridge.live;

import ca.uhn.fhir.batch2.jobs.export.BulkDataExportProvider;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.context.support.IValidationSupport;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.dao.IFhirSystemDao;
import ca.uhn.fhir.jpa.provider.IJpaSystemProvider;
import ca.uhn.fhir.jpa.provider.JpaCapabilityStatementProvider;
import ca.uhn.fhir.jpa.search.DatabaseBackedPagingProvider;
import ca.uhn.fhir.rest.api.EncodingEnum;
import ca.uhn.fhir.rest.server.RestfulServer;
import ca.uhn.fhir.rest.server.provider.ResourceProviderFactory;
import ca.uhn.fhir.rest.server.util.ISearchParamRegistry;
import org.springframework.beans.factory.BeanFactory;

/** The FHIR API over the storage: every R4 type, the whole-system interactions and $export. */
final class Endpoint extends RestfulServer {
    private static final long serialVersionUID = 1;

    private final transient BeanFactory beans;

    Endpoint(BeanFactory beans) {
        super(beans.getBean(FhirContext.class));
        this.beans = beans;
    }

    @Override
    protected void initialize() {
        Options options = beans.getBean(Options.class);
        setDefaultResponseEncoding(EncodingEnum.JSON);

        var pages = beans.getBean(DatabaseBackedPagingProvider.class);
        pages.setDefaultPageSize(options.defaultPage());
        pages.setMaximumPageSize(options.maxPage());
        setPagingProvider(pages);

        var types = (ResourceProviderFactory) beans.getBean("myResourceProvidersR4");
        registerProviders(types.createProviders());
        registerProvider(beans.getBean(IJpaSystemProvider.class));
        registerProvider(beans.getBean(BulkDataExportProvider.class));
        setServerConformanceProvider(new JpaCapabilityStatementProvider(
                this,
                beans.getBean(IFhirSystemDao.class),
                beans.getBean(JpaStorageSettings.class),
                beans.getBean(ISearchParamRegistry.class),
                beans.getBean(IValidationSupport.class)));
    }
}
