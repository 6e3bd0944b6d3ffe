using System.Text.Json.Nodes;

namespace CityGrid.Node.Hosting;

/// <summary>The part of the document that no protobuf message speaks of: health, digest, outbox, metrics.</summary>
internal static class OpenApiOps
{
    public static void AddTo(JsonObject paths, OpenApiSchemas schemas)
    {
        schemas.Add("Health", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["status"] = new JsonObject { ["type"] = "string", ["enum"] = new JsonArray("SERVING", "READ_ONLY", "DISK_FULL", "NOT_SERVING") },
                ["reason"] = OpenApiSchemas.Text("Why it does not serve; empty while it does."),
            },
        });
        schemas.Add("Digest", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["code"] = OpenApiSchemas.Text("The division."),
                ["nodeId"] = OpenApiSchemas.Text("The node."),
                ["epoch"] = OpenApiSchemas.Text("Its epoch: number and nonce."),
                ["parentEpoch"] = OpenApiSchemas.Text("Its parent's."),
                ["lsn"] = OpenApiSchemas.Whole("The journal position that the digest stands at."),
                ["cells"] = OpenApiSchemas.Whole("Cells held."),
                ["digest"] = OpenApiSchemas.Text("The root of the digest tree, 64 hex digits."),
                ["children"] = new JsonObject { ["type"] = "array", ["items"] = OpenApiSchemas.Reference("ChildDigest") },
            },
        });
        schemas.Add("ChildDigest", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["code"] = OpenApiSchemas.Text("The child's division."),
                ["nodeId"] = OpenApiSchemas.Text("The child."),
                ["epoch"] = OpenApiSchemas.Text("The epoch granted to it."),
                ["lastSeq"] = OpenApiSchemas.Whole("Applied up to this position of its journal."),
                ["digest"] = OpenApiSchemas.Text("Of its cells as they are held here."),
            },
        });
        schemas.Add("Outbox", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["pending"] = OpenApiSchemas.Whole("Cells and escalations that the parent has not confirmed."),
                ["oldestSeconds"] = OpenApiSchemas.Whole("How long the oldest of them waits."),
                ["deadLetter"] = OpenApiSchemas.Whole("Records that the parent keeps aside or has refused."),
            },
        });

        var health = Get("Ops_Health", "Whether the node works. No token is needed; 503 where it does not serve, with the same body.", "Health");
        health["security"] = new JsonArray();
        health["responses"]!["503"] = OpenApiDocument.Answer("It does not serve.", "Health");
        paths["/healthz"] = new JsonObject { ["get"] = health };
        var digest = Get("Ops_Digest", "What two ends of an edge compare. For administrators.", "Digest");
        digest["parameters"] = new JsonArray(new JsonObject
        {
            ["name"] = "asOf",
            ["in"] = "query",
            ["description"] = "Answer only if the node stands at this journal position or past it.",
            ["schema"] = new JsonObject { ["type"] = "integer", ["format"] = "int64", ["minimum"] = 0 },
        });
        paths["/ops/digest"] = new JsonObject { ["get"] = digest };
        paths["/ops/outbox"] = new JsonObject { ["get"] = Get("Ops_Outbox", "What still has to go up. For administrators.", "Outbox") };
        schemas.Add("Release", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["nodeId"] = OpenApiSchemas.Text("The child."),
                ["released"] = new JsonObject { ["type"] = "boolean", ["description"] = "False where it was not in quarantine: nothing changed." },
            },
        });
        schemas.Add("Beyond", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["nodeId"] = OpenApiSchemas.Text("The child."),
                ["incarnation"] = OpenApiSchemas.Text("The life of it that is in office here."),
                ["epoch"] = OpenApiSchemas.Text("The epoch granted to it."),
                ["sameLife"] = new JsonObject { ["type"] = "boolean", ["description"] = "Whether that is the life asked about; otherwise nothing can be compared, and the rest is empty." },
                ["heard"] = OpenApiSchemas.Whole("The furthest position of the child's journal that was heard of here."),
                ["cellsLater"] = OpenApiSchemas.Whole("Cells that the child changed past the position asked about."),
                ["escalationsLater"] = OpenApiSchemas.Whole("Escalations that the child itself raised past it."),
                ["escalations"] = new JsonObject { ["type"] = "array", ["items"] = OpenApiSchemas.Reference("EscalationBeyond"), ["description"] = "The first thousand of them." },
            },
        });
        schemas.Add("EscalationBeyond", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["lsn"] = OpenApiSchemas.Whole("The position at which the child raised it."),
                ["id"] = OpenApiSchemas.Text("The escalation."),
                ["version"] = OpenApiSchemas.Whole("Its version."),
                ["grade"] = OpenApiSchemas.Text("How grave it is."),
                ["type"] = OpenApiSchemas.Text("The type of its case."),
                ["division"] = OpenApiSchemas.Text("Where."),
                ["stage"] = OpenApiSchemas.Text("The stage of its case then."),
                ["subject"] = OpenApiSchemas.Text("The case."),
            },
        });
        var beyond = Get("Ops_Beyond", "What was heard of a child past a position of its journal: what it would lose by being restored from a backup that ends there. For administrators.", "Beyond");
        beyond["parameters"] = new JsonArray(
            new JsonObject { ["name"] = "node", ["in"] = "path", ["required"] = true, ["description"] = "The child.", ["schema"] = new JsonObject { ["type"] = "string" } },
            new JsonObject { ["name"] = "incarnation", ["in"] = "query", ["required"] = true, ["description"] = "The life of the child's directory that the backup is of, 32 hexadecimal digits.", ["schema"] = new JsonObject { ["type"] = "string" } },
            new JsonObject { ["name"] = "lsn", ["in"] = "query", ["required"] = true, ["description"] = "Where the backup ends.", ["schema"] = new JsonObject { ["type"] = "integer", ["format"] = "int64", ["minimum"] = 0 } });
        paths["/ops/children/{node}/beyond"] = new JsonObject { ["get"] = beyond };
        schemas.Add("Forget", new JsonObject
        {
            ["type"] = "object",
            ["properties"] = new JsonObject
            {
                ["forgotten"] = new JsonObject { ["type"] = "boolean", ["description"] = "False where there was nothing to forget: nothing changed." },
            },
        });
        var forget = Get("Ops_ForgetParent", "Forgets in which epoch a parent was heard, so that one in an earlier epoch is believed: only where no later one is left. For administrators.", "Forget");
        forget["parameters"] = new JsonArray(new JsonObject
        {
            ["name"] = "parent",
            ["in"] = "query",
            ["description"] = "The parent; the territorial one where it is left out.",
            ["schema"] = new JsonObject { ["type"] = "string" },
        });
        paths["/ops/parent/forget"] = new JsonObject { ["post"] = forget };
        var release = Get("Ops_Release", "Releases a child that was put into quarantine because two histories claim its name. For administrators who have looked.", "Release");
        release["parameters"] = new JsonArray(new JsonObject
        {
            ["name"] = "node",
            ["in"] = "path",
            ["required"] = true,
            ["description"] = "The child.",
            ["schema"] = new JsonObject { ["type"] = "string" },
        });
        paths["/ops/children/{node}/release"] = new JsonObject { ["post"] = release };
        var metrics = Get("Ops_Metrics", "The node's figures in the Prometheus text format.", "Health");
        metrics["responses"]!["200"] = new JsonObject
        {
            ["description"] = "The figures.",
            ["content"] = new JsonObject { ["text/plain"] = new JsonObject { ["schema"] = new JsonObject { ["type"] = "string" } } },
        };
        paths["/metrics"] = new JsonObject { ["get"] = metrics };
    }

    private static JsonObject Get(string id, string summary, string schema) => new()
    {
        ["operationId"] = id,
        ["tags"] = new JsonArray("Ops"),
        ["summary"] = summary,
        ["responses"] = new JsonObject
        {
            ["200"] = OpenApiDocument.Answer("The answer.", schema),
            ["default"] = OpenApiDocument.Answer("The call was refused, with a stable code.", OpenApiSchemas.Error),
        },
    };
}
