package casebridge.live;

import ca.uhn.fhir.batch2.api.IJobMaintenanceService;
import ca.uhn.fhir.batch2.jobs.config.Batch2JobsConfig;
import ca.uhn.fhir.context.FhirContext;
import ca.uhn.fhir.jpa.api.config.JpaStorageSettings;
import ca.uhn.fhir.jpa.api.config.ThreadPoolFactoryConfig;
import ca.uhn.fhir.jpa.batch2.JpaBatch2Config;
import ca.uhn.fhir.jpa.binary.api.IBinaryStorageSvc;
import ca.uhn.fhir.jpa.binstore.DatabaseBinaryContentStorageSvcImpl;
import ca.uhn.fhir.jpa.config.HapiJpaConfig;
import ca.uhn.fhir.jpa.config.r4.JpaR4Config;
import ca.uhn.fhir.jpa.config.util.HapiEntityManagerFactoryUtil;
import ca.uhn.fhir.jpa.model.config.PartitionSettings;
import ca.uhn.fhir.jpa.model.config.SubscriptionSettings;
import ca.uhn.fhir.jpa.model.dialect.HapiFhirH2Dialect;
import ca.uhn.fhir.jpa.subscription.channel.config.SubscriptionChannelConfig;
import ca.uhn.fhir.jpa.subscription.match.config.SubscriptionProcessorConfig;
import ca.uhn.fhir.jpa.subscription.match.deliver.email.IEmailSender;
import ca.uhn.fhir.jpa.subscription.submit.config.SubscriptionSubmitterConfig;
import jakarta.persistence.EntityManagerFactory;
import java.util.Map;
import javax.sql.DataSource;
import org.apache.commons.dbcp2.BasicDataSource;
import org.hl7.fhir.dstu2.model.Subscription.SubscriptionChannelType;
import org.springframework.beans.factory.config.ConfigurableListableBeanFactory;
import org.springframework.context.annotation.Bean;
import org.springframework.context.annotation.Configuration;
import org.springframework.context.annotation.Import;
import org.springframework.context.annotation.Primary;
import org.springframework.orm.jpa.JpaTransactionManager;
import org.springframework.orm.jpa.LocalContainerEntityManagerFactoryBean;
import org.springframework.scheduling.annotation.EnableScheduling;
import org.springframework.scheduling.annotation.Scheduled;

/** HAPI's R4 storage on an H2 database that lives and dies with the process. */
@Configuration
@EnableScheduling
@Import({
    HapiJpaConfig.class,
    JpaR4Config.class,
    ThreadPoolFactoryConfig.class,
    JpaBatch2Config.class,
    Batch2JobsConfig.class,
    SubscriptionSubmitterConfig.class,
    SubscriptionProcessorConfig.class,
    SubscriptionChannelConfig.class
})
class Storage {
    private static final Map<String, String> HIBERNATE = Map.of(
            "hibernate.dialect", HapiFhirH2Dialect.class.getName(),
            "hibernate.hbm2ddl.auto", "create",
            "hibernate.jdbc.batch_size", "20",
            "hibernate.cache.use_second_level_cache", "false",
            "hibernate.cache.use_query_cache", "false",
            // No Lucene index: nothing here tests _text and _content.
            "hibernate.search.enabled", "false");

    @Bean
    JpaStorageSettings storageSettings(Options options) {
        JpaStorageSettings settings = new JpaStorageSettings();
        settings.setReuseCachedSearchResultsForMillis(
                options.searchCacheMillis() > 0 ? options.searchCacheMillis() : null);
        settings.setEnforceReferentialIntegrityOnWrite(options.checkReferences());
        settings.setEnforceReferentialIntegrityOnDelete(options.checkReferences());
        settings.setResourceClientIdStrategy(options.clientIds());
        settings.setResourceServerIdStrategy(options.serverIds());
        // Tests empty the server by $expunge, which HAPI refuses (405) unless deletes may take several resources.
        settings.setExpungeEnabled(true);
        settings.setAllowMultipleDelete(true);
        return settings;
    }

    @Bean(destroyMethod = "close")
    BasicDataSource dataSource() {
        BasicDataSource connections = new BasicDataSource();
        connections.setUrl("jdbc:h2:mem:live;DB_CLOSE_DELAY=-1");
        connections.setUsername("sa");
        connections.setMaxTotal(20);
        return connections;
    }

    @Bean
    LocalContainerEntityManagerFactoryBean entityManagerFactory(
            ConfigurableListableBeanFactory beans, FhirContext fhir, JpaStorageSettings settings, DataSource database) {
        var factory = HapiEntityManagerFactoryUtil.newEntityManagerFactory(beans, fhir, settings);
        factory.setPersistenceUnitName("live");
        factory.setDataSource(database);
        factory.setJpaPropertyMap(HIBERNATE);
        return factory;
    }

    @Bean
    @Primary
    JpaTransactionManager transactionManager(EntityManagerFactory factory) {
        return new JpaTransactionManager(factory);
    }

    @Bean
    PartitionSettings partitionSettings() {
        return new PartitionSettings();
    }

    @Bean
    IBinaryStorageSvc binaryStorage() {
        return new DatabaseBinaryContentStorageSvcImpl();
    }

    @Bean
    SubscriptionSettings subscriptionSettings() {
        SubscriptionSettings settings = new SubscriptionSettings();
        settings.addSupportedSubscriptionType(SubscriptionChannelType.RESTHOOK);
        return settings;
    }

    /** HAPI asks for one although no subscription here can be by e-mail. */
    @Bean
    IEmailSender emailSender() {
        return details -> {
            throw new UnsupportedOperationException("this server sends no e-mail");
        };
    }

    @Bean
    JobSteps jobSteps(IJobMaintenanceService jobs) {
        return new JobSteps(jobs);
    }

    /** HAPI takes a step of its batch jobs ($export) once a minute; a test must not wait for that. */
    record JobSteps(IJobMaintenanceService jobs) {
        @Scheduled(fixedDelay = 500)
        public void step() {
            jobs.runMaintenancePass();
        }
    }
}
