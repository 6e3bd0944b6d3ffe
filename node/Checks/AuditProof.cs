using System.Globalization;
using System.Security.Cryptography;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using CityGrid.Hub.Journal;
using CityGrid.Hub.Seams;
using CityGrid.Protocol.Names;
using CityGrid.Protocol.V1;
using Google.Protobuf;

namespace CityGrid.Node.Checks;

/// <summary>
/// <c>citygrid audit prove DIR --node X --lsn N</c>: what X told the owner of DIR about its history at N, with everything that proves it, for somebody
/// who has neither journal (A6).
/// </summary>
public static class AuditProof
{
    /// <summary>Base64 stands as it is; it is read by programs, and never put into a page.</summary>
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The proof as JSON, checked before it is given out; null with the verdict where there is none.</summary>
    /// <param name="folder">The data directory of whoever was told.</param>
    /// <param name="node">Who said it.</param>
    /// <param name="lsn">A position of that node's journal: the first statement at or after it is proved, in the newest life that reaches so far.</param>
    /// <param name="authorityFile">The network's authority (PEM), by which the signer is judged; null to take it as it was recorded.</param>
    /// <param name="verdict">Why there is no proof.</param>
    public static string? Make(string folder, NodeId node, Lsn lsn, string? authorityFile, out CheckVerdict? verdict)
    {
        try
        {
            if (JournalVerifier.Verify(PosixDisk.At(folder)) is not JournalVerdict.Sound holder)
            {
                verdict = CheckVerdict.CannotDecide($"the journal in {folder} is not sound, so it proves nothing.");
                return null;
            }

            var book = AnchorBook.Read(folder, holder.Node, node, AuditCheck.Authorities(authorityFile));
            if (book.Fault is { } fault)
            {
                verdict = CheckVerdict.Damaged($"index {fault.At}", fault.Why);
                return null;
            }

            var reaching = book.Anchors.Where(anchor => anchor.Signed is not null && anchor.Mark.Lsn >= lsn).ToList();
            if (reaching.Count == 0)
            {
                verdict = CheckVerdict.CannotDecide($"{node} has signed nothing for {holder.Node} at or after {lsn}.");
                return null;
            }

            verdict = null;
            return Text(reaching.Where(anchor => anchor.Life == reaching[^1].Life).MinBy(anchor => (anchor.Mark.Lsn, anchor.HeldAt))!, holder.Node, authorityFile is not null);
        }
        catch (Exception failure) when (failure is IOException or UnauthorizedAccessException or DiskFailedException or CryptographicException)
        {
            verdict = CheckVerdict.CannotDecide(failure.Message);
            return null;
        }
    }

    private static string Text(Anchor anchor, NodeId holder, bool authorityChecked)
    {
        var signed = anchor.Signed!;
        var proof = new JsonObject
        {
            ["statement"] = signed.Message is SignedHead ? "citygrid/head/1" : "citygrid/receipt/1",
            ["says"] = JsonNode.Parse(JsonFormatter.Default.Format(signed.Message)),
            ["signedBytes"] = Convert.ToBase64String(signed.Bytes),
            ["signature"] = signed.Signature.ToBase64(),
            ["certificates"] = new JsonArray([.. signed.Signer.Certificates.Select(der => (JsonNode)PemEncoding.WriteString("CERTIFICATE", der.Span))]),
            ["heldBy"] = holder.ToString(),
            ["heldAt"] = anchor.HeldAt.Value.ToString(CultureInfo.InvariantCulture),
            ["recordedAt"] = anchor.RecordedAt.ToString("uuuu-MM-dd'T'HH:mm:ss.fffffff'Z'", CultureInfo.InvariantCulture),
            ["authority"] = authorityChecked ? "checked" : "not given",
        };
        if (signed.Part is { } part)
        {
            proof["part"] = part.ToBase64();
        }

        return proof.ToJsonString(Indented);
    }
}
