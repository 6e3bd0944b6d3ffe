using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using CityGrid.Node.Hosting;
using CityGrid.Protocol.V1;
using CityGrid.Tests.Approvals;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Builder;
using NUnit.Framework;

namespace CityGrid.Tests.Hosting;

/// <summary>GET /openapi/v1.json has every call over HTTP with its fields and the contract's words about them.</summary>
public sealed class The_calls_are_described
{
    private TestNode _node = null!;
    private JsonObject _document = null!;

    [OneTimeSetUp]
    public async Task ReadAsync()
    {
        _node = await TestNode.StartAsync(map: app =>
        {
            app.MapGrpcService<NoViews>();
            app.MapGrpcService<NoOrders>();
            app.MapGrpcService<NoCatalogue>();
            app.MapGrpcService<NoReach>();
            app.MapGrpcService<NoLinks>();
            app.MapGrpcService<NoChildren>();
            app.MapGrpcService<NoReconciliation>();
            app.MapGrpcService<NoReasons>();
        });
        var answer = await _node.GetAsync("/openapi/v1.json", NodeFolder.ViewerToken);
        Assert.That(answer.StatusCode, Is.EqualTo(HttpStatusCode.OK));
        _document = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!.AsObject();
    }

    [OneTimeTearDown]
    public async Task StopAsync() => await _node.DisposeAsync();

    /// <summary>The words about a field may change freely; paths, fields and types are what programs rely on.</summary>
    [Test]
    public void All_of_them_as_approved() => Approved.Matches("openapi", WithoutWords(_document)!.ToJsonString(new JsonSerializerOptions { WriteIndented = true }));

    [Test]
    public void Every_route_of_the_contract_stands_in_it()
    {
        var routes = new[] { Node.V1.CasesReflection.Descriptor, Node.V1.ChildrenReflection.Descriptor, Node.V1.ReconcileReflection.Descriptor, Node.V1.WhyReflection.Descriptor, ViewsReflection.Descriptor, OrdersReflection.Descriptor, CatalogueReflection.Descriptor, ReachReflection.Descriptor, Node.V1.LinksReflection.Descriptor }
            .SelectMany(file => file.Services).SelectMany(service => service.Methods)
            .Select(method => method.GetOptions().GetExtension(Google.Api.AnnotationsExtensions.Http))
            .Select(rule => rule.PatternCase == Google.Api.HttpRule.PatternOneofCase.Get ? ("get", rule.Get) : ("post", rule.Post));

        Assert.That(routes.Where(route => _document["paths"]![route.Item2]?[route.Item1] is null), Is.Empty);
    }

    [Test]
    public void Every_schema_is_one_of_json_schema_and_every_answer_has_one()
    {
        var types = new[] { "object", "array", "string", "integer", "boolean" };
        var schemas = Schemas(_document).ToList();

        Assert.Multiple(() =>
        {
            Assert.That(schemas, Has.Count.GreaterThan(100));
            foreach (var schema in schemas)
            {
                var told = schema["$ref"] is not null || (schema["type"] is JsonArray both ? both[0] : schema["type"])?.GetValue<string>() is { } type && types.Contains(type);
                Assert.That(told, Is.True, schema.ToJsonString());
                Assert.That(schema["type"] is not JsonValue list || list.GetValue<string>() != "array" || schema["items"] is JsonObject, Is.True, schema.ToJsonString());
                Assert.That((schema["required"]?.AsArray() ?? []).All(name => schema["properties"]![name!.GetValue<string>()] is not null), Is.True, schema.ToJsonString());
            }
        });
    }

    [Test]
    public void Every_reference_leads_somewhere()
    {
        var schemas = _document["components"]!["schemas"]!.AsObject();

        Assert.That(References(_document).Select(reference => reference.Split('/')[^1]).Where(name => schemas[name] is null), Is.Empty);
    }

    [Test]
    public void Every_operation_has_a_name_of_its_own_and_every_variable_of_a_path_is_declared()
    {
        var operations = _document["paths"]!.AsObject()
            .SelectMany(path => path.Value!.AsObject().Select(verb => (Path: path.Key, Operation: verb.Value!.AsObject()))).ToList();

        Assert.Multiple(() =>
        {
            Assert.That(operations.Select(found => found.Operation["operationId"]!.GetValue<string>()), Is.Unique);
            foreach (var (path, operation) in operations)
            {
                var declared = (operation["parameters"]?.AsArray() ?? []).Where(p => p!["in"]!.GetValue<string>() == "path").Select(p => p!["name"]!.GetValue<string>());
                var used = System.Text.RegularExpressions.Regex.Matches(path, @"\{(\w+)\}").Select(match => match.Groups[1].Value);
                Assert.That(declared, Is.EquivalentTo(used), path);
            }
        });
    }

    [Test]
    public void With_the_words_of_the_contract() =>
        Assert.That(_document["paths"]!["/v1/cases"]!["post"]!["summary"]!.GetValue<string>(), Is.EqualTo("上报: a case comes in."));

    /// <summary>Every schema, also those within others and in parameters and bodies.</summary>
    private static IEnumerable<JsonObject> Schemas(JsonNode? node) => node switch
    {
        JsonObject value => value.SelectMany(property => property.Value is JsonObject inner
            ? property.Key switch
            {
                "schema" or "items" or "additionalProperties" => Schemas(inner).Prepend(inner),
                "schemas" or "properties" => inner.SelectMany(named => Schemas(named.Value).Prepend(named.Value!.AsObject())),
                _ => Schemas(inner),
            }
            : Schemas(property.Value)),
        JsonArray list => list.SelectMany(Schemas),
        _ => [],
    };

    private static JsonNode? WithoutWords(JsonNode? node) => node switch
    {
        JsonObject value => new JsonObject(value.Where(property => property.Key is not ("description" or "summary") || property.Value is JsonObject)
            .Select(property => KeyValuePair.Create(property.Key, WithoutWords(property.Value)))),
        JsonArray list => new JsonArray([.. list.Select(WithoutWords)]),
        _ => node?.DeepClone(),
    };

    private static IEnumerable<string> References(JsonNode? node) => node switch
    {
        JsonObject value => value.SelectMany(property => property.Key == "$ref" ? [property.Value!.GetValue<string>()] : References(property.Value)),
        JsonArray list => list.SelectMany(References),
        _ => [],
    };

    [Authorize(Access.View)]
    private sealed class NoViews : ViewsService.ViewsServiceBase;

    [Authorize(Policy = Access.View)]
    private sealed class NoOrders : OrdersService.OrdersServiceBase;

    private sealed class NoCatalogue : CatalogueService.CatalogueServiceBase;

    [Authorize(Policy = Access.View)]
    private sealed class NoReach : ReachService.ReachServiceBase;

    [Authorize(Policy = Access.View)]
    private sealed class NoLinks : Node.V1.LinksService.LinksServiceBase;

    [Authorize(Access.Keep)]
    private sealed class NoChildren : Node.V1.ChildrenService.ChildrenServiceBase;

    [Authorize(Access.View)]
    private sealed class NoReconciliation : Node.V1.ReconcileService.ReconcileServiceBase;

    [Authorize(Access.View)]
    private sealed class NoReasons : Node.V1.WhyService.WhyServiceBase;
}
