namespace EvenKeel.Testing.Isolation;

/// <summary>What a test does with a resource that others use as well.</summary>
public enum Access
{
    /// <summary>Beside others that read.</summary>
    Read,

    /// <summary>Alone.</summary>
    Write,
}

/// <summary>A claim is what a test says that it needs of one resource while it runs.</summary>
/// <param name="Resource">A name that the tests agree on.</param>
/// <param name="Access">Beside other readers, or alone.</param>
/// <param name="AcrossProcesses">Against all test processes of this user on the machine that claim it so, not just this one.</param>
public sealed record ResourceClaim(string Resource, Access Access, bool AcrossProcesses = false);
