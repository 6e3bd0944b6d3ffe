using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using CityGrid.Protocol.Names;

namespace CityGrid.Node.Hosting;

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase)]
[JsonSerializable(typeof(HealthReport))]
[JsonSerializable(typeof(DigestReport))]
[JsonSerializable(typeof(OutboxReport))]
[JsonSerializable(typeof(ReleaseReport))]
[JsonSerializable(typeof(ChildBeyond))]
[JsonSerializable(typeof(ForgetReport))]
internal sealed partial class OpsJson : JsonSerializerContext;

/// <summary>What anyone may ask a node to see that it works, and an administrator to see that it is right.</summary>
internal static class OpsEndpoints
{
    private static readonly JsonSerializerOptions Readable = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    public static void Map(IEndpointRouteBuilder routes, NodeReports reports, MetricsText metrics, NodeMeter meter)
    {
        routes.MapGet("/healthz", context =>
        {
            var health = reports.Health();
            context.Response.StatusCode = health.Status == Health.Serving ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable;
            return WriteAsync(context, health, OpsJson.Default.HealthReport);
        }).AllowAnonymous();

        routes.MapGet("/ops/digest", context =>
        {
            var report = reports.Digest();
            return AsOf(context, report.Lsn) ? WriteAsync(context, report, OpsJson.Default.DigestReport) : Task.CompletedTask;
        }).RequireAuthorization(Access.Keep).WithMetadata(new QueryWords("asOf"));

        routes.MapGet("/ops/outbox", context => WriteAsync(context, reports.Outbox(), OpsJson.Default.OutboxReport))
            .RequireAuthorization(Access.Keep).WithMetadata(new QueryWords());

        routes.MapPost("/ops/children/{node}/release", context => ReleaseAsync(context, reports))
            .RequireAuthorization(Access.Keep).WithMetadata(new QueryWords());

        routes.MapPost("/ops/parent/forget", context => ForgetAsync(context, reports))
            .RequireAuthorization(Access.Keep).WithMetadata(new QueryWords("parent"));

        routes.MapGet("/ops/children/{node}/beyond", context => BeyondAsync(context, reports))
            .RequireAuthorization(Access.Keep).WithMetadata(new QueryWords("incarnation", "lsn"));

        routes.MapGet("/metrics", async context =>
        {
            meter.Sample();
            context.Response.ContentType = MetricsText.ContentType;
            await context.Response.WriteAsync(metrics.Render(), context.RequestAborted);
        }).RequireAuthorization(Access.View);

        byte[]? document = null;
        routes.MapGet("/openapi/v1.json", context =>
        {
            // The calls are all mapped by the time that the first one comes.
            document ??= JsonSerializer.SerializeToUtf8Bytes(
                new OpenApiDocument(ProtoComments.BuiltIn).Of(context.RequestServices.GetRequiredService<EndpointDataSource>().Endpoints), Readable);
            context.Response.ContentType = "application/json; charset=utf-8";
            return context.Response.Body.WriteAsync(document, context.RequestAborted).AsTask();
        }).RequireAuthorization(Access.View);
    }

    private static async Task ReleaseAsync(HttpContext context, NodeReports reports)
    {
        if (!NodeId.TryParse(context.GetRouteValue("node") as string, out var child))
        {
            context.Refuse(StatusCodes.Status400BadRequest, new Refusal("MALFORMED", "The path names the child to release: /ops/children/NODE/release.", "node"));
            return;
        }

        if (await reports.Release(child, Caller.ActorOf(context)) is not { } released)
        {
            context.Refuse(StatusCodes.Status404NotFound, new Refusal("CHILD_UNKNOWN", $"No node {child} ever spoke to this one as its child; /ops/digest lists those that did.", "node"));
            return;
        }

        await WriteAsync(context, new ReleaseReport(child.ToString(), released), OpsJson.Default.ReleaseReport);
    }

    private static async Task ForgetAsync(HttpContext context, NodeReports reports)
    {
        var named = context.Request.Query.TryGetValue("parent", out var word);
        if ((named && !NodeId.TryParse(word, out _)) || await reports.ForgetParent(named ? NodeId.Parse(word.ToString()) : null, Caller.ActorOf(context)) is not { } forgotten)
        {
            context.Refuse(StatusCodes.Status404NotFound, new Refusal("PARENT_UNKNOWN", "This node reports to no parent of that name; /v1/links lists those that it has.", "parent"));
            return;
        }

        await WriteAsync(context, new ForgetReport(forgotten), OpsJson.Default.ForgetReport);
    }

    private static Task BeyondAsync(HttpContext context, NodeReports reports)
    {
        var query = context.Request.Query;
        if (!Incarnation.TryParse(query["incarnation"], out var life))
        {
            context.Refuse(StatusCodes.Status400BadRequest, new Refusal("MALFORMED", "incarnation is 32 hexadecimal digits: the life of the child's directory, as its backup names it.", "incarnation"));
            return Task.CompletedTask;
        }

        if (!long.TryParse(query["lsn"], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var lsn))
        {
            context.Refuse(StatusCodes.Status400BadRequest, new Refusal("MALFORMED", "lsn is a position of the child's journal: a whole number from 0.", "lsn"));
            return Task.CompletedTask;
        }

        if (!NodeId.TryParse(context.GetRouteValue("node") as string, out var child) || reports.Beyond(child, life, new Lsn(lsn)) is not { } beyond)
        {
            context.Refuse(StatusCodes.Status404NotFound, new Refusal("CHILD_UNKNOWN", "No such node ever spoke to this one as its child; /ops/digest lists those that did.", "node"));
            return Task.CompletedTask;
        }

        return WriteAsync(context, beyond, OpsJson.Default.ChildBeyond);
    }

    /// <summary>True where the caller asks for nothing later than <paramref name="lsn"/>; otherwise the call is refused.</summary>
    private static bool AsOf(HttpContext context, long lsn)
    {
        if (!context.Request.Query.TryGetValue("asOf", out var asked))
        {
            return true;
        }

        if (asked.ToString().Contains('\0') || !long.TryParse(asked, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var least))
        {
            context.Refuse(StatusCodes.Status400BadRequest, new Refusal("MALFORMED", "asOf is a journal position: a whole number from 0.", "asOf"));
            return false;
        }

        if (least > lsn)
        {
            context.Refuse(StatusCodes.Status409Conflict, new Refusal("NOT_YET", $"The node stands at {lsn}; ask again later.", "asOf"));
            return false;
        }

        return true;
    }

    private static Task WriteAsync<T>(HttpContext context, T report, JsonTypeInfo<T> type)
    {
        context.Response.ContentType = "application/json; charset=utf-8";
        if (context.Response.StatusCode < StatusCodes.Status400BadRequest)
        {
            return JsonSerializer.SerializeAsync(context.Response.Body, report, type, context.RequestAborted);
        }

        // A node that does not serve is no error of the call: its report reaches the caller in place of an error's body.
        context.Features.Set(new DespiteStatus(JsonSerializer.SerializeToUtf8Bytes(report, type)));
        return Task.CompletedTask;
    }
}

/// <summary>A body that is meant although the status is an error's.</summary>
internal sealed record DespiteStatus(byte[] Body);
