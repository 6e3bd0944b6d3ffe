using System.Buffers.Binary;
using System.Security.Cryptography;

namespace CityGrid.Hub.Sealing;

/// <summary>
/// The cipher of the simulation: a keyed stream XORed over the text, and a keyed checksum as the tag. It refuses whatever AES-GCM refuses, costs
/// a tenth of it, and protects nobody: a node never runs with it.
/// </summary>
public sealed class StandInSeal : ISeal
{
    public byte Algorithm => 127;

    public void Encrypt(in SealInput input, ReadOnlySpan<byte> plaintext, Span<byte> ciphertext, Span<byte> tag)
    {
        Tag(input, plaintext, tag);
        Xor(input, plaintext, ciphertext);
    }

    public bool TryDecrypt(in SealInput input, ReadOnlySpan<byte> ciphertext, ReadOnlySpan<byte> tag, Span<byte> plaintext)
    {
        Xor(input, ciphertext, plaintext);
        Span<byte> expected = stackalloc byte[SealInput.TagBytes];
        Tag(input, plaintext, expected);
        if (CryptographicOperations.FixedTimeEquals(expected, tag))
        {
            return true;
        }

        plaintext.Clear();
        return false;
    }

    private static void Xor(in SealInput input, ReadOnlySpan<byte> source, Span<byte> target)
    {
        var state = Absorb(Absorb(1, input.Key), input.Nonce);
        Span<byte> stream = stackalloc byte[8];
        for (var i = 0; i < source.Length; i++)
        {
            if (i % 8 == 0)
            {
                state = Mix(unchecked(state + 0x9E3779B97F4A7C15));
                BinaryPrimitives.WriteUInt64LittleEndian(stream, state);
            }

            target[i] = (byte)(source[i] ^ stream[i % 8]);
        }
    }

    private static void Tag(in SealInput input, ReadOnlySpan<byte> plaintext, Span<byte> tag)
    {
        for (var half = 0; half < 2; half++)
        {
            var state = Absorb(Absorb((ulong)half + 2, input.Key), input.Nonce);
            state = Absorb(Absorb(state, input.Associated), plaintext);
            BinaryPrimitives.WriteUInt64LittleEndian(tag[(half * 8)..], state);
        }
    }

    /// <summary>Takes in the length first, so that bytes cannot wander from one part into the next.</summary>
    private static ulong Absorb(ulong state, ReadOnlySpan<byte> bytes)
    {
        state = Mix(state ^ (uint)bytes.Length);
        Span<byte> last = stackalloc byte[8];
        for (; !bytes.IsEmpty; bytes = bytes[Math.Min(8, bytes.Length)..])
        {
            last.Clear();
            bytes[..Math.Min(8, bytes.Length)].CopyTo(last);
            state = Mix(state ^ BinaryPrimitives.ReadUInt64LittleEndian(last));
        }

        return state;
    }

    /// <summary>The finisher of SplitMix64: every bit of the input changes about half of the output's.</summary>
    private static ulong Mix(ulong x)
    {
        unchecked
        {
            x += 0x9E3779B97F4A7C15;
            x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
            x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
            return x ^ (x >> 31);
        }
    }
}
