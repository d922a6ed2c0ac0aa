using System.Collections.Immutable;
using System.Reflection.Emit;
using System.Reflection.Metadata;
using System.Reflection.Metadata.Ecma335;
using System.Reflection.PortableExecutable;

namespace EvenKeel.Cli.Stability.Suites;

/// <summary>A fixture is a type that tests share, and how long one lives.</summary>
internal sealed record FixtureUse(string Type, string Lifetime);

/// <summary>
/// What the code of a test assembly calls, counted in its IL without loading it: waits on events, on several tasks, fixed delays.
/// </summary>
internal sealed record AssemblyCode(
    int EventWaits, int ConcurrentWaits, int FixedDelays, IReadOnlyList<FixtureUse> Fixtures, IReadOnlySet<string> AsyncMethods)
{
    private static readonly HashSet<string> Events =
        ["ManualResetEventSlim.Wait", "WaitHandle.WaitOne", "SemaphoreSlim.Wait", "SemaphoreSlim.WaitAsync", "CountdownEvent.Wait",
            "Task.WaitAsync",
            "Task`1.WaitAsync", "Monitor.Wait", "Barrier.SignalAndWait"];

    private static readonly HashSet<string> Concurrent =
        ["Task.WhenAll", "Task.WhenAny", "Task.WaitAll", "Task.WaitAny", "Parallel.For", "Parallel.ForEach", "Parallel.ForEachAsync",
            "Parallel.Invoke",
            "WaitHandle.WaitAll", "WaitHandle.WaitAny"];

    private static readonly Dictionary<string, string> Lifetimes = new()
    {
        ["IClassFixture`1"] = "class",
        ["ICollectionFixture`1"] = "collection",
        ["AssemblyFixtureAttribute"] = "assembly",
    };

    private static readonly OpCode[] OneByte = OpCodesBy(code => code.Size == 1, code => code.Value & 0xFF);
    private static readonly OpCode[] TwoByte = OpCodesBy(code => code.Size == 2, code => code.Value & 0xFF);

    public static AssemblyCode Read(string path)
    {
        using var stream = File.OpenRead(path);
        using var image = new PEReader(stream);
        var metadata = image.GetMetadataReader();
        int events = 0, concurrent = 0, delays = 0;
        foreach (var handle in metadata.MethodDefinitions)
        {
            var address = metadata.GetMethodDefinition(handle).RelativeVirtualAddress;
            if (address == 0)
                continue;
            foreach (var called in CallsIn(image.GetMethodBody(address).GetILContent(), metadata))
            {
                events += Events.Contains(called) ? 1 : 0;
                concurrent += Concurrent.Contains(called) ? 1 : 0;
                delays += called is "Task.Delay" or "Thread.Sleep" ? 1 : 0;
            }
        }
        return new(events, concurrent, delays, [.. FixturesIn(metadata).Distinct()], AsyncMethodsIn(metadata));
    }

    private static HashSet<string> AsyncMethodsIn(MetadataReader metadata)
    {
        var found = new HashSet<string>(StringComparer.Ordinal);
        foreach (var handle in metadata.MethodDefinitions)
        {
            var method = metadata.GetMethodDefinition(handle);
            var isAsync = method.GetCustomAttributes().Select(each => metadata.GetCustomAttribute(each).Constructor)
                .Where(constructor => constructor.Kind == HandleKind.MemberReference)
                .Select(constructor => metadata.GetMemberReference((MemberReferenceHandle)constructor).Parent)
                .Any(parent => TypeName(parent, metadata) == "AsyncStateMachineAttribute");
            if (!isAsync)
                continue;
            var type = metadata.GetTypeDefinition(method.GetDeclaringType());
            found.Add($"{metadata.GetString(type.Namespace)}.{metadata.GetString(type.Name)}.{metadata.GetString(method.Name)}".TrimStart(
                '.'));
        }
        return found;
    }

    private static IEnumerable<string> CallsIn(ImmutableArray<byte> code, MetadataReader metadata)
    {
        var at = 0;
        while (at < code.Length)
        {
            var opCode = code[at] == 0xFE ? TwoByte[code[++at]] : OneByte[code[at]];
            at++;
            if (opCode.OperandType == OperandType.InlineMethod && NameOf(BitConverter.ToInt32(code.AsSpan()[at..]), metadata) is { } name)
                yield return name;
            at += opCode.OperandType switch
            {
                OperandType.InlineNone => 0,
                OperandType.ShortInlineBrTarget or OperandType.ShortInlineI or OperandType.ShortInlineVar => 1,
                OperandType.InlineVar => 2,
                OperandType.InlineI8 or OperandType.InlineR => 8,
                OperandType.InlineSwitch => 4 + 4 * BitConverter.ToInt32(code.AsSpan()[at..]),
                _ => 4,
            };
        }
    }

    private static string? NameOf(int token, MetadataReader metadata)
    {
        var handle = MetadataTokens.EntityHandle(token);
        if (handle.Kind == HandleKind.MethodSpecification)
            handle = metadata.GetMethodSpecification((MethodSpecificationHandle)handle).Method;
        if (handle.Kind != HandleKind.MemberReference)
            return null;
        var member = metadata.GetMemberReference((MemberReferenceHandle)handle);
        return TypeName(member.Parent, metadata) is { } type ? $"{type}.{metadata.GetString(member.Name)}" : null;
    }

    private static string? TypeName(EntityHandle handle, MetadataReader metadata) => handle.Kind switch
    {
        HandleKind.TypeReference => metadata.GetString(metadata.GetTypeReference((TypeReferenceHandle)handle).Name),
        HandleKind.TypeDefinition => metadata.GetString(metadata.GetTypeDefinition((TypeDefinitionHandle)handle).Name),
        HandleKind.TypeSpecification => GenericName(metadata.GetTypeSpecification((TypeSpecificationHandle)handle), metadata),
        _ => null,
    };

    // GENERICINST, CLASS or VALUETYPE, then the type: all that is needed of a signature.
    private static string? GenericName(TypeSpecification type, MetadataReader metadata)
    {
        var signature = metadata.GetBlobReader(type.Signature);
        const byte GenericInstance = 0x15;
        if (signature.ReadByte() != GenericInstance)
            return null;
        signature.ReadByte();
        return TypeName(signature.ReadTypeHandle(), metadata);
    }

    private static IEnumerable<FixtureUse> FixturesIn(MetadataReader metadata)
    {
        foreach (var handle in metadata.TypeDefinitions)
        {
            foreach (var implemented in metadata.GetTypeDefinition(handle).GetInterfaceImplementations())
            {
                var contract = metadata.GetInterfaceImplementation(implemented).Interface;
                if (contract.Kind != HandleKind.TypeSpecification)
                    continue;
                var signature = metadata.GetBlobReader(metadata.GetTypeSpecification((TypeSpecificationHandle)contract).Signature);
                if (signature.ReadByte() != 0x15 || signature.ReadByte() == 0
                    || TypeName(signature.ReadTypeHandle(), metadata) is not { } name
                    || !Lifetimes.TryGetValue(name, out var lifetime) || signature.ReadCompressedInteger() != 1
                        || signature.ReadByte() is not (0x12 or 0x11))
                {
                    continue;
                }
                yield return new(TypeName(signature.ReadTypeHandle(), metadata) ?? "?", lifetime);
            }
        }
    }

    private static OpCode[] OpCodesBy(Func<OpCode, bool> wanted, Func<OpCode, int> index)
    {
        var table = new OpCode[256];
        foreach (var code in typeof(OpCodes).GetFields().Select(field => field.GetValue(null)).OfType<OpCode>().Where(wanted))
            table[index(code)] = code;
        return table;
    }
}
