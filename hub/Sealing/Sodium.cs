using System.Runtime.InteropServices;

namespace CityGrid.Hub.Sealing;

/// <summary>
/// AES-256-GCM of libsodium (https://doc.libsodium.org/secret-key_cryptography/aead/aes-256-gcm): one call, which makes nothing that must be freed and leaves no key behind.
/// It needs a processor with instructions for it, and looks at no length but those of the texts: the caller has to.
/// </summary>
internal static partial class Sodium
{
    private const string Library = "libsodium";

    /// <summary>False where the library is not there for this system, or the processor has no instructions for the cipher.</summary>
    public static bool HasAesGcm { get; } = Begin();

    public static unsafe void Encrypt(in SealInput input, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext, Span<byte> tag)
    {
        fixed (byte* key = input.Key, nonce = input.Nonce, associated = input.Associated, from = plaintext, to = ciphertext, mac = tag)
        {
            if (Encrypt(to, mac, null, from, (ulong)plaintext.Length, associated, (ulong)input.Associated.Length, null, nonce, key) != 0)
            {
                throw new InvalidOperationException($"libsodium did not seal a text of {plaintext.Length} bytes. Nothing of it was kept.");
            }
        }
    }

    /// <summary>False where anything does not belong together; the target is then of no use.</summary>
    public static unsafe bool TryDecrypt(in SealInput input, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> tag, Span<byte> plaintext)
    {
        fixed (byte* key = input.Key, nonce = input.Nonce, associated = input.Associated, from = ciphertext, to = plaintext, mac = tag)
        {
            return Decrypt(to, null, from, (ulong)ciphertext.Length, mac, associated, (ulong)input.Associated.Length, nonce, key) == 0;
        }
    }

    private static bool Begin()
    {
        try
        {
            return Initialise() >= 0 && IsAesGcmAvailable() == 1;
        }
        catch (Exception missing) when (missing is DllNotFoundException or EntryPointNotFoundException or BadImageFormatException)
        {
            return false;
        }
    }

    [LibraryImport(Library, EntryPoint = "sodium_init")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static partial int Initialise();

    [LibraryImport(Library, EntryPoint = "crypto_aead_aes256gcm_is_available")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static partial int IsAesGcmAvailable();

    [LibraryImport(Library, EntryPoint = "crypto_aead_aes256gcm_encrypt_detached")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static unsafe partial int Encrypt(byte* ciphertext, byte* tag, ulong* tagLength, byte* plaintext, ulong length, byte* associated, ulong associatedLength, byte* secretNonce, byte* nonce, byte* key);

    [LibraryImport(Library, EntryPoint = "crypto_aead_aes256gcm_decrypt_detached")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.AssemblyDirectory)]
    private static unsafe partial int Decrypt(byte* plaintext, byte* secretNonce, byte* ciphertext, ulong length, byte* tag, byte* associated, ulong associatedLength, byte* nonce, byte* key);
}
