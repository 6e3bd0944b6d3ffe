using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using CityGrid.Hub.Identity;
using CityGrid.Hub.Seams;
using CityGrid.Node.Configuration;
using CityGrid.Protocol.V1;

namespace CityGrid.Node.Enrolment;

/// <summary>Where a certificate and its key lie.</summary>
public sealed record KeyPairFiles(CertificateKind Kind, string Certificate, string Key);

/// <summary>The files by which a node shows who it is.</summary>
public sealed record CredentialFiles(IReadOnlyList<KeyPairFiles> Pairs, string Root)
{
    /// <summary>The files that a configuration names; what it does not name, the node does not have.</summary>
    public static CredentialFiles Of(NodeConfiguration configuration)
    {
        var link = configuration.Link;
        var beside = Path.GetDirectoryName(link.CertificateFile)!;
        var pairs = new List<KeyPairFiles>
        {
            new(CertificateKind.Link, link.CertificateFile, link.KeyFile),
            new(CertificateKind.Signer, link.SigningCertificateFile ?? Path.Combine(beside, "signer.pem"), link.SigningKeyFile ?? Path.Combine(beside, "signer.key")),
        };
        if (configuration.Children is { } children)
        {
            pairs.Add(new(CertificateKind.Authority, children.AuthorityFile, children.AuthorityKeyFile));
        }

        return new CredentialFiles(pairs, link.AuthorityFile);
    }

    /// <summary>Those that a configuration names for the connections to its sector's parent; null where it names none. Whom the node trusts stays one and the same.</summary>
    public static CredentialFiles? OfSector(NodeConfiguration configuration) => configuration.SectorParent is { CertificateFile: { } certificate, KeyFile: { } key }
        ? new CredentialFiles([new(CertificateKind.Link, certificate, key)], configuration.Link.AuthorityFile)
        : null;

    /// <summary>The usual names in one folder.</summary>
    public static CredentialFiles In(string folder, bool authority)
    {
        KeyPairFiles Pair(CertificateKind kind, string name) => new(kind, Path.Combine(folder, $"{name}.pem"), Path.Combine(folder, $"{name}.key"));
        List<KeyPairFiles> pairs = [Pair(CertificateKind.Link, "node"), Pair(CertificateKind.Signer, "signer")];
        if (authority)
        {
            pairs.Add(Pair(CertificateKind.Authority, "ca"));
        }

        return new CredentialFiles(pairs, Path.Combine(folder, "authority.pem"));
    }

    /// <summary>
    /// The key that the next certificate is for. It is made once and lies beside the one in use, as FILE.next, until its certificate is there: an answer that was lost is
    /// asked for again with the same key, and has the same certificate.
    /// </summary>
    public static ECDsa NextKey(KeyPairFiles pair)
    {
        var next = NextOf(pair);
        var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        if (File.Exists(next))
        {
            key.ImportFromPem(File.ReadAllText(next));
        }
        else
        {
            Write(next, key.ExportPkcs8PrivateKeyPem() + "\n");
        }

        return key;
    }

    /// <summary>
    /// Makes ready to enrol with a code: every key is there, and a note of which code they are for. With the same code again they are the same keys, whether the answer was
    /// lost before, between or after the files that it became.
    /// </summary>
    /// <param name="codeHash">The hash of the code's secret.</param>
    public void Begin(string codeHash)
    {
        if (!File.Exists(Note) || File.ReadAllText(Note).Trim() != codeHash)
        {
            foreach (var pair in Pairs)
            {
                NextKey(pair).Dispose();
            }

            Failpoint.Hit("enrol.keys.made");
            Write(Note, codeHash + "\n");
            Failpoint.Hit("enrol.noted");
        }
    }

    /// <summary>The key that <see cref="Begin"/> made: beside the one in use, or in use already.</summary>
    public static ECDsa BegunKey(KeyPairFiles pair)
    {
        if (File.Exists(NextOf(pair)) || !File.Exists(pair.Key))
        {
            return NextKey(pair);
        }

        var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(pair.Key));
        return key;
    }

    private string Note => Path.Combine(Path.GetDirectoryName(Pairs[0].Certificate)!, $".{Path.GetFileName(Pairs[0].Certificate)}.code");

    /// <summary>
    /// Puts a certificate and its key (<see cref="NextKey"/>) into use. Each file is whole or as it was; between the two renames the certificate is the new one and its key
    /// still has the name of the next, which <see cref="Settle"/> puts right.
    /// </summary>
    public static void Install(KeyPairFiles pair, string certificates)
    {
        Failpoint.Hit("credential.install.before");
        Write(pair.Certificate, certificates);
        Failpoint.Hit("credential.install.certificate");
        Settle(pair);
        Failpoint.Hit("credential.install.after");
    }

    /// <summary>Finishes an <see cref="Install"/> that was cut short. It changes nothing where none was.</summary>
    public static void Settle(KeyPairFiles pair)
    {
        var next = NextOf(pair);
        if (!File.Exists(next) || !File.Exists(pair.Certificate))
        {
            return;
        }

        using var key = ECDsa.Create();
        key.ImportFromPem(File.ReadAllText(next));
        using var certificate = X509Certificate2.CreateFromPem(File.ReadAllText(pair.Certificate));
        if (CertificateAuthority.MarkOf(certificate.PublicKey) == CertificateAuthority.MarkOf(new PublicKey(key)))
        {
            // A rename makes the key's file whole or leaves it; both have one folder, or the copy is written first.
            Write(pair.Key, File.ReadAllText(next));
            Failpoint.Hit("credential.key.written");
            var disk = PosixDisk.At(Path.GetDirectoryName(next)!);
            disk.Delete(Path.GetFileName(next));
            disk.SyncFolder(string.Empty);
        }
    }

    /// <summary>Writes a file that only its owner may read: whole and durable, or not at all.</summary>
    public static void Write(string path, string text)
    {
        var disk = PosixDisk.At(Path.GetDirectoryName(path)!);
        var (name, temporary) = (Path.GetFileName(path), Path.GetFileName(path) + ".new");
        if (disk.Exists(temporary))
        {
            disk.Delete(temporary);
        }

        Failpoint.Hit("credential.file.before");
        using (var file = disk.Open(temporary, DiskAccess.CreateNew))
        {
            file.Write(0, Encoding.UTF8.GetBytes(text));
            file.Sync();
        }

        Failpoint.Hit("credential.file.synced");
        disk.Rename(temporary, name);
        Failpoint.Hit("credential.file.renamed");
        disk.SyncFolder(string.Empty);
        Failpoint.Hit("credential.file.after");
    }

    private static string NextOf(KeyPairFiles pair) => pair.Key + ".next";
}
