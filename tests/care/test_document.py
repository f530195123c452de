"""The documents that are made from care knowledge name all of it."""

from adapter.care import comorbidity, document, instrument, model, template


def test_every_instrument_is_there_with_its_licence_source_and_bands():
    text = document.instruments()
    for name in instrument.names():
        found = instrument.load(name)
        assert f"`{name}.json`" in text
        assert found.licence in text
        assert found.source in text
        assert all(f"{band.low}–{band.high} " in text for band in found.scoring.bands)


def test_every_code_that_was_looked_up_says_where():
    text = document.instruments()
    looked_up = [each for name in instrument.names() for each in instrument.load(name).confirmed]
    assert looked_up
    assert all(each.where in text for each in looked_up)


def test_the_tables_have_every_model_demand_template_and_grouping():
    tables = document.tables()
    for name in model.names():
        found = model.load(name)
        assert found.title in tables["models"]
        for demand in found.demands.__struct_fields__:
            if getattr(found.demands, demand) != getattr(model.Demands(), demand):
                assert demand.replace("_", " ") in tables["models"]
    assert all(template.plan_definition(name)["url"] in tables["templates"] for name in template.names())
    assert all(f"`{name}`" in tables["groupings"] for name in comorbidity.names())
    assert "`food-insecurity`" in tables["needs"]
